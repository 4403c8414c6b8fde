"""httpx: every request takes its turn, redirects included, with threads and with tasks.

import httpx
import apiqueue, apiqueue.httpx

queue = apiqueue.ApiQueue(per_second=10)
client = httpx.Client(transport=apiqueue.httpx.Transport(queue))
client = httpx.AsyncClient(transport=apiqueue.httpx.AsyncTransport(queue))
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Optional

import httpx

from ._route import Key, Route, answered

__all__ = ["AsyncTransport", "Transport"]


class Transport(httpx.BaseTransport):
    """Sends by `inner`, an `httpx.HTTPTransport()` unless you have another, when it is a request's turn.

    `to` is an `ApiQueue`, or a `Registry` whose keys are hosts such as `api.example.com`; `key(method, host)` makes others.

    Answers with status 429 or 503 hold the queue for their `Retry-After`. No timeout of httpx's counts the wait in line. What
    `HTTPTransport(retries=…)` tries again are connections that never sent a request, and they take no turn.

    Raises `TypeError` where `to` is neither of these. A request raises `apiqueue.Closed` once its queue was stopped.
    """

    def __init__(self, to: Any, inner: Optional[httpx.BaseTransport] = None, *, key: Optional[Key] = None) -> None:
        self._route = Route(to, key)
        self._inner = httpx.HTTPTransport() if inner is None else inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        turn = self._route.wait(request.method, request.url.host)
        with turn or nullcontext():
            response = self._inner.handle_request(request)
            answered(turn, response.status_code, response.headers)
            return response

    def close(self) -> None:
        self._inner.close()


class AsyncTransport(httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`, before an `httpx.AsyncHTTPTransport()` unless you have another. A task that is cancelled in line
    costs nobody a turn."""

    def __init__(self, to: Any, inner: Optional[httpx.AsyncBaseTransport] = None, *, key: Optional[Key] = None) -> None:
        self._route = Route(to, key)
        self._inner = httpx.AsyncHTTPTransport() if inner is None else inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        turn = await self._route.turn(request.method, request.url.host)
        with turn or nullcontext():
            response = await self._inner.handle_async_request(request)
            answered(turn, response.status_code, response.headers)
            return response

    async def aclose(self) -> None:
        await self._inner.aclose()
