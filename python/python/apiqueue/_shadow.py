"""Two distributions have a package `apiqueue`: this one, and the original, whose queue this one's stands in for."""

from __future__ import annotations

import os

#: Set to anything, it lets both be installed.
ALLOW = "APIQUEUE_ALLOW_BOTH"
ORIGINAL = "apiqueue"
OURS = "apiqueue-rs"


def check() -> None:
    """Raises `ImportError` where the original is installed too: which of both is imported would be chance."""
    if os.environ.get(ALLOW):
        return
    from importlib import metadata

    try:
        version = metadata.version(ORIGINAL)
    except metadata.PackageNotFoundError:
        return
    raise ImportError(
        f"the distributions {ORIGINAL!r} ({version}) and {OURS!r} both have a package 'apiqueue', and files of one are over those of the other. "
        f"Uninstall both, and then install {OURS!r}, which does what the other one does; or set {ALLOW}=1"
    )
