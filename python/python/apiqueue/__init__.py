"""Client-side rate limiting: every call waits in one fair line and leaves at a steady rate.

>>> from apiqueue import ApiQueue
>>> ec2 = ApiQueue(per_second=100)
>>> with ec2.turn():
...     pass  # make the call
"""

from __future__ import annotations

import atexit as _atexit
import os as _os
import threading as _threading

from . import _shadow

_shadow.check()

from ._apiqueue import (  # noqa: E402
    Account,
    ApiQueue,
    Limits,
    PendingTurn,
    Rate,
    Registry,
    Stats,
    StopReport,
    Turn,
    Waiter,
    after_fork as _after_fork,
    close as _close,
    set_main_thread as _set_main_thread,
)
from ._errors import Closed, ConfigError, Error, Full, Timeout  # noqa: E402

__all__ = [
    "Account",
    "ApiQueue",
    "Closed",
    "ConfigError",
    "Error",
    "Full",
    "Limits",
    "PendingTurn",
    "Rate",
    "Registry",
    "Stats",
    "StopReport",
    "Timeout",
    "Turn",
    "Waiter",
]

from . import _aio  # noqa: E402

_aio.install()
_set_main_thread(_threading.main_thread().ident or 0)

# Daemon threads that wait when the interpreter ends stay where they are.
_atexit.register(_close)


def _in_child() -> None:
    _after_fork()
    # The one that has forked is the main thread there.
    _set_main_thread(_threading.get_ident())


if hasattr(_os, "register_at_fork"):
    # A child has the parent's objects and none of its threads: queues start anew there, and waiters are told `Closed`.
    _os.register_at_fork(after_in_child=_in_child)
