"""requests: every attempt takes its turn, those of urllib3's retries, which are below requests, included.

import requests
import apiqueue, apiqueue.requests

session = requests.Session()
session.mount("https://api.example.com/", apiqueue.requests.Adapter(apiqueue.ApiQueue(per_second=10)))
"""

from __future__ import annotations

from typing import Any, Optional

from requests.adapters import HTTPAdapter

from ._route import Key
from .urllib3 import pace

__all__ = ["Adapter"]


class Adapter(HTTPAdapter):
    """An `HTTPAdapter` whose every attempt takes its turn, by a proxy too.

    `to` is an `ApiQueue`, or a `Registry` whose keys are hosts such as `api.example.com`; `key(method, host)` makes others. All else is
    as for `HTTPAdapter`, such as `max_retries`.

    Answers with status 429 or 503 hold the queue for their `Retry-After`. The timeout of a request does not count its wait in line.

    Raises `TypeError` where `to` is neither of these. A request raises `apiqueue.Closed` once its queue was stopped.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "_to", "_key"]

    def __init__(self, to: Any, *args: Any, key: Optional[Key] = None, **kwargs: Any) -> None:
        self._to, self._key = to, key
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pace(self.poolmanager, self._to, key=self._key)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if is_known else pace(manager, self._to, key=self._key)
