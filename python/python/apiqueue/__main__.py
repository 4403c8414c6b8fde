"""`python -m apiqueue --limits aws -- scout aws`: runs any program with its botocore paced."""

import sys

from ._launch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
