"""Waiting in an event loop: one port a loop, which hears of releases without the interpreter's lock.

The thread that releases a waiter leaves the waiter's number at the loop's port and, where the port was empty, makes a file descriptor readable
that the loop watches. The loop then takes all numbers at once and goes on with their tasks, in the order of the releases.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from typing import Any, Generator, Optional

from ._apiqueue import PendingTurn, Port, Turn, Waiter, generation
from ._errors import Timeout


#: Of tasks, in all loops.
_numbers = itertools.count(1)


class _LoopPort:
    """Where releases leave word for the tasks of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        #: By their number; what comes of one is whether the time is over.
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self.generation = generation()
        self._port = Port(True)
        if not self._watch(loop):
            self._port = Port(False)
            threading.Thread(target=self._carry, args=(self._port,), name="apiqueue-loop", daemon=True).start()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> bool:
        if self._port.fd is None:
            return False
        try:
            loop.add_reader(self._port.fd, self._heard)
        except NotImplementedError:
            return False
        return True

    def _carry(self, port: Port) -> None:
        """For loops that watch no file descriptors: a thread carries the word."""
        while port.wait():
            loop = self._loop()
            if loop is None:
                return
            try:
                loop.call_soon_threadsafe(self._heard)
            except RuntimeError:  # the loop is closed
                return
            del loop

    def _heard(self) -> None:
        for number in self._port.take():
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(False)

    async def turn_of(self, waiter: Waiter, seconds: Optional[float] = None) -> Turn:
        number = next(_numbers)
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        end = None
        is_over = False
        try:
            while True:
                # Once more when the time is over: a release of the same moment counts.
                turn = waiter._poll(self._port, number)
                if turn is not None:
                    return turn
                if is_over:
                    raise Timeout(f"the turn did not come within {seconds} s")
                future = loop.create_future()
                self._waiting[number] = future
                if until is not None:
                    end = loop.call_at(until, _time_is_over, future)
                is_over = await future
                if end is not None:
                    end.cancel()
        finally:
            waiter._leave(number)
            self._waiting.pop(number, None)
            if end is not None:
                end.cancel()

    def close(self) -> None:
        self._port.close()


def _time_is_over(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(True)


_ports: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPort]" = weakref.WeakKeyDictionary()


def _port() -> _LoopPort:
    loop = asyncio.get_running_loop()
    port = _ports.get(loop)
    if port is None or port.generation != generation():
        port = _ports[loop] = _LoopPort(loop)
        weakref.finalize(loop, port.close)
    return port


async def wait(waiter: Waiter) -> Turn:
    """The turn of a waiter. One whose task is cancelled leaves the line."""
    try:
        return await _port().turn_of(waiter)
    except asyncio.CancelledError:
        waiter.cancel()
        raise


async def wait_turn(pending: PendingTurn) -> Turn:
    """A place in line, and the turn."""
    waiter = pending._place()
    try:
        turn = waiter._ready()
        if turn is not None:
            return turn
        return await _port().turn_of(waiter, pending.timeout)
    except BaseException:
        waiter.cancel()
        raise


def _await_waiter(self: Waiter) -> "Generator[Any, None, Turn]":
    return wait(self).__await__()


def _await_turn(self: PendingTurn) -> "Generator[Any, None, Turn]":
    return wait_turn(self).__await__()


async def _enter(self: PendingTurn) -> Turn:
    turn = await wait_turn(self)
    self._entered(turn)
    return turn


async def _exit(self: PendingTurn, *_exc: object) -> None:
    self._ended()


def install() -> None:
    """Has waiters and turns be awaited by the functions here.

    Not by methods of the extension that call them: a thread that the interpreter ends in the middle of Python code must have no Rust code around.
    """
    Waiter.__await__ = _await_waiter
    PendingTurn.__await__ = _await_turn
    PendingTurn.__aenter__ = _enter
    PendingTurn.__aexit__ = _exit
