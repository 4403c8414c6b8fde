"""Where `ApiQueue` is in the original package, for `from apiqueue.apiqueue import ApiQueue`."""

from . import ApiQueue

__all__ = ["ApiQueue"]
