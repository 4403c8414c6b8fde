"""How tasks wait: one port for each event loop, where releases leave word."""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from typing import Any

from ._apiqueue import PendingTurn, Port, Turn, Waiter, generation
from ._errors import Timeout


class _Waits:
    """The tasks of one loop that wait, by their number."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._numbers = itertools.count()
        self._futures: dict[int, asyncio.Future[bool]] = {}
        self.generation = generation()
        self.port = Port(True)
        fd = self.port.fd
        if fd is not None:
            try:
                loop.add_reader(fd, self._heard)
            except NotImplementedError:
                fd = None
        if fd is None:
            # A loop that watches no files: a thread tells it.
            self.port = Port(False)
            thread = threading.Thread(
                target=_tell, args=(self.port, weakref.ref(self), weakref.ref(loop)), name="apiqueue-loop", daemon=True
            )
            thread.start()
        # With the loop, the thread ends.
        weakref.finalize(loop, self.port.close)

    def _heard(self) -> None:
        for number in self.port.take():
            future = self._futures.get(number)
            if future is not None and not future.done():
                future.set_result(False)

    def begin(self) -> int:
        return next(self._numbers)

    def over(self, number: int) -> None:
        future = self._futures.get(number)
        if future is not None and not future.done():
            future.set_result(True)

    def expect(self, loop: asyncio.AbstractEventLoop, number: int) -> "asyncio.Future[bool]":
        future = self._futures[number] = loop.create_future()
        return future

    def end(self, number: int) -> None:
        self._futures.pop(number, None)


def _tell(port: Port, waits: "weakref.ref[_Waits]", loop: "weakref.ref[asyncio.AbstractEventLoop]") -> None:
    while port.wait():
        ours, to = waits(), loop()
        if ours is None or to is None:
            return
        heard = threading.Event()

        def hear(ours: _Waits = ours, heard: threading.Event = heard) -> None:
            ours._heard()
            heard.set()

        try:
            to.call_soon_threadsafe(hear)
        except RuntimeError:  # the loop is closed
            return
        del ours, to
        # Until then there is word already.
        heard.wait()


_loops: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Waits]" = weakref.WeakKeyDictionary()


def _waits_of(loop: asyncio.AbstractEventLoop) -> _Waits:
    waits = _loops.get(loop)
    if waits is None or waits.generation != generation():
        waits = _loops[loop] = _Waits(loop)
    return waits


async def wait(waiter: Waiter, timeout: float | None = None) -> Turn:
    """The turn of a waiter. It keeps its place where that is cancelled or the time is over."""
    loop = asyncio.get_running_loop()
    waits = _waits_of(loop)
    number = waits.begin()
    over = None
    is_over = False
    try:
        while True:
            # Before the look, so that word of what comes after it finds its future.
            future = waits.expect(loop, number)
            turn = waiter._poll(waits.port, number)
            if turn is not None:
                return turn
            if is_over:
                raise Timeout(f"the turn did not come within {timeout} s")
            if timeout is not None and over is None:
                over = loop.call_later(timeout, waits.over, number)
            is_over = await future
    finally:
        waits.end(number)
        if over is not None:
            over.cancel()


async def wait_turn(pending: PendingTurn) -> Turn:
    """The turn of `queue.turn()`. It leaves the line where that is cancelled or the time is over."""
    waiter = pending._place()
    try:
        return await wait(waiter, pending.timeout)
    except BaseException:
        waiter.cancel()
        raise


async def enter(pending: PendingTurn) -> Turn:
    """The beginning of an `async with`."""
    turn = await wait_turn(pending)
    pending._entered(turn)
    return turn


async def nothing() -> None:
    """What the end of an `async with` waits for."""
