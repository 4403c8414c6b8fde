"""Rate limiting for API clients: every call waits in one fair line and leaves at a steady rate.

    import apiqueue

    ec2 = apiqueue.ApiQueue(per_second=20)
    with ec2.turn():
        ...  # the call

Threads use `with`, tasks of asyncio `async with` or `await`, programs that poll `waiter.waiting`: all stand in the same line.
"""

import atexit as _atexit
import os as _os

from ._errors import Closed, ConfigError, Error, Full, Timeout
from . import _apiqueue
from ._apiqueue import Account, ApiQueue, Limits, PendingTurn, Rate, Registry, Stats, StopReport, Turn, Waiter

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

_atexit.register(_apiqueue.close)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_apiqueue.after_fork)
