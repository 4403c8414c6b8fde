"""urllib3: every attempt takes its turn, those that a `Retry` makes and redirects included.

import urllib3
import apiqueue, apiqueue.urllib3

http = apiqueue.urllib3.pace(urllib3.PoolManager(), apiqueue.ApiQueue(per_second=10))
http.request("GET", "https://api.example.com/")
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any, Optional

from urllib3.connectionpool import HTTPConnectionPool

from ._route import Key, Route, answered

__all__ = ["pace"]


def pace(manager: Any, to: Any, *, key: Optional[Key] = None) -> Any:
    """Lets every attempt of this `PoolManager` or `ProxyManager` take its turn, and gives the manager back.

    `to` is an `ApiQueue`, or a `Registry` whose keys are hosts such as `api.example.com`; `key(method, host)` makes others.

    Answers with status 429 or 503 hold the queue for their `Retry-After`. A turn is waited for before a connection is taken from the
    pool, and no timeout of urllib3's counts that. Connections that the manager has open are closed first.

    Raises `TypeError` where `manager` is no `PoolManager`, or `to` neither of these. A request raises `apiqueue.Closed` once its queue was stopped.
    """
    classes = getattr(manager, "pool_classes_by_scheme", None)
    if not isinstance(classes, dict):
        raise TypeError(f"manager={manager!r}: may be a urllib3.PoolManager or ProxyManager")
    route = Route(to, key)
    manager.pool_classes_by_scheme = {scheme: _paced(pool, route) for scheme, pool in classes.items()}
    manager.clear()
    return manager


def _paced(pool: type, route: Route) -> type:
    bases = (pool,) if issubclass(pool, _Paced) else (_Paced, pool)
    return type(pool.__name__, bases, {"_apiqueue_route": route})


class _Paced(HTTPConnectionPool):
    """A pool that takes a turn for each attempt: `urlopen` calls itself for the next one."""

    _apiqueue_route: Route

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._apiqueue_here = threading.local()

    def urlopen(self, method: str, *args: Any, **kwargs: Any) -> Any:
        here = self._apiqueue_here
        here.turn = self._apiqueue_route.wait(method, self.host)
        try:
            return super().urlopen(method, *args, **kwargs)
        finally:
            # Of an attempt that got no connection.
            unsent, here.turn = here.turn, None
            if unsent is not None:
                unsent.give_back()

    def _make_request(self, *args: Any, **kwargs: Any) -> Any:
        turn, self._apiqueue_here.turn = self._apiqueue_here.turn, None
        # The error of an attempt outlives it, and so would its turn.
        with turn or nullcontext():
            response = super()._make_request(*args, **kwargs)
            answered(turn, response.status, response.headers)
            return response
