"""Rate limiting for API clients: every call waits in one fair line and leaves at a steady rate.

    import apiqueue

    ec2 = apiqueue.ApiQueue(per_second=20)
    with ec2.turn():
        ...  # the call

Threads use `with`, tasks of asyncio `async with` or `await`, programs that poll `waiter.waiting`: all stand in the same line.
"""

import atexit as _atexit
import os as _os

from . import _shadow

_shadow.check()

from . import _apiqueue  # noqa: E402
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

# Daemon threads that wait when the interpreter ends stay where they are.
_atexit.register(_apiqueue.close)
if hasattr(_os, "register_at_fork"):
    # A child has the parent's objects and none of its threads: queues start anew there, and waiters are told `Closed`.
    _os.register_at_fork(after_in_child=_apiqueue.after_fork)
