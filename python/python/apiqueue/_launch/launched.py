"""What happens in a process of the launcher's program when botocore has been loaded."""

from __future__ import annotations

import atexit
import os
import sys

from ..boto import Installation, install_of_environment


def begin() -> None:
    """Paces its clients, and tells of it at the end where the launcher was asked to."""
    installation = install_of_environment()
    if os.environ.get("APIQUEUE_REPORT"):
        atexit.register(_report, installation)


def _report(installation: Installation) -> None:
    # A child that was forked since tells of itself.
    lines = [f"apiqueue: process {os.getpid()}:"]
    for key, stats in sorted(installation.registry.stats().items()):
        waited = (
            f", waited {stats.wait_p50:.3f} s at the median, {stats.wait_max:.3f} s at most"
            if stats.wait_max is not None
            else ""
        )
        lines.append(f"  {key}: {stats.released} released{waited}")
    if len(lines) == 1:
        lines[0] += " no call was limited"
    print("\n".join(lines), file=sys.stderr)
