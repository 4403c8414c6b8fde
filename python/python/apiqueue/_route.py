"""Which queue a request goes through, and what its answer does to it: what all HTTP clients have in common."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from . import ApiQueue, Registry
from ._apiqueue import hold_after

#: What makes the key of a request: from its method, such as `GET`, and its host, such as `api.example.com`.
Key = Callable[[str, str], str]


class Route:
    """One queue for all requests, or the one that a registry has for the key of each: by default its host, without the port."""

    __slots__ = ("_key", "_to")

    def __init__(self, to: Any, key: Optional[Key] = None) -> None:
        if not isinstance(to, (ApiQueue, Registry)):
            raise TypeError(f"to={to!r}: may be an ApiQueue, or a Registry whose keys are hosts")
        if key is not None and not isinstance(to, Registry):
            raise TypeError("key=…: a single ApiQueue has no keys; give a Registry")
        self._to = to
        self._key = key or _host

    def queue(self, method: str, host: str) -> Optional[ApiQueue]:
        """The queue of a request; None where it is not limited."""
        if isinstance(self._to, Registry):
            return self._to.queue(self._key(method, host))
        return self._to

    def wait(self, method: str, host: str) -> Any:
        """The turn of a request, for which this thread waits; None where it is not limited."""
        queue = self.queue(method, host)
        return None if queue is None else queue.turn().wait()

    async def turn(self, method: str, host: str) -> Any:
        """The same for a task."""
        queue = self.queue(method, host)
        return None if queue is None else await queue.turn()


def answered(turn: Any, status: int, headers: Mapping[str, str]) -> None:
    """Ends a call with its answer. One that throttles holds the queue as long as it says.

    Status 429 and 503 throttle, and a 403 that says when to come back. The hold is the `Retry-After` (seconds or a date, or one of the
    headers in milliseconds), or until the calls that a header says are used up come back; at most 60 s; and 1 s without any of these.
    """
    if turn is None:
        return
    if status < 400:
        turn.ok()
        return
    hold = hold_after(status, [(str(name), str(value)) for name, value in headers.items()])
    if hold is None:
        turn.ok()
    else:
        turn.throttled(hold)


def _host(method: str, host: str) -> str:
    return host
