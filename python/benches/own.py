"""What this package costs by itself: python benches/own.py

| | |
|---|---|
| uncontended | `with queue.turn():` and others, where a permit is free: the best of 7 rounds |
| tasks, threads | how close to the rate many go, in which order, and the processor's time; also beside a thread that hogs the interpreter |
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
import time

import apiqueue

ROUNDS = 7


def best(what, count: int = 100_000) -> float:
    """Nanoseconds of one, less those of an empty loop."""

    def once(run) -> float:
        begin = time.perf_counter()
        run(count)
        return (time.perf_counter() - begin) / count * 1e9

    def nothing(count: int) -> None:
        for _ in range(count):
            pass

    return min(once(what) for _ in range(ROUNDS)) - min(once(nothing) for _ in range(ROUNDS))


def uncontended() -> None:
    free = apiqueue.ApiQueue(per_second=1_000_000_000)
    slow = apiqueue.ApiQueue(every=1000)
    slow.turn().wait()
    waiter = slow.enqueue()

    def turns(count: int) -> None:
        for _ in range(count):
            with free.turn():
                pass

    def waits(count: int) -> None:
        for _ in range(count):
            free.turn().wait()

    def tries(count: int) -> None:
        for _ in range(count):
            free.try_turn()

    def looks(count: int) -> None:
        for _ in range(count):
            waiter.waiting

    async def tasks(count: int) -> None:
        for _ in range(count):
            async with free.turn():
                pass

    for name, what in [
        ("with queue.turn()", turns),
        ("queue.turn().wait()", waits),
        ("queue.try_turn()", tries),
        ("waiter.waiting", looks),
        ("async with queue.turn()", lambda count: asyncio.run(tasks(count))),
    ]:
        print(f"{name:28} {best(what):8.0f} ns")


def paced(kind: str, count: int, interval: float, hog: bool) -> None:
    queue = apiqueue.ApiQueue(every=interval)
    at: list[float] = []
    order: list[int] = []
    done = False

    def gone(number: int) -> None:
        at.append(time.perf_counter())
        order.append(number)

    async def one(number: int) -> None:
        async with queue.turn():
            gone(number)

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(count)))

    def thread(number: int, waiter: apiqueue.Waiter) -> None:
        waiter.wait()
        gone(number)

    def spin() -> None:
        while not done:
            pass

    busy = threading.Thread(target=spin, daemon=True)
    if hog:
        busy.start()
    cpu = time.process_time()
    begin = time.perf_counter()
    if kind == "tasks":
        asyncio.run(main())
    else:
        waiters = [queue.enqueue() for _ in range(count)]
        threads = [threading.Thread(target=thread, args=(number, waiters[number])) for number in range(count)]
        for each in threads:
            each.start()
        begin = time.perf_counter()
        queue.start()
        for each in threads:
            each.join()
    seconds = time.perf_counter() - begin
    cpu = time.process_time() - cpu
    done = True
    inversions = sum(later < sooner for sooner, later in zip(order, order[1:]))
    ideal = (count - 1) * interval
    p99 = statistics.quantiles([b - a for a, b in zip(at, at[1:])], n=100)[98]
    beside = ", beside a hog" if hog else ""
    print(
        f"{count} {kind} at {interval * 1e3:g} ms{beside}: {seconds / ideal:.3f} of ideal, {inversions} inversions, "
        f"99 % of intervals under {p99 * 1e3:.2f} ms, {cpu:.2f} s CPU"
    )


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}")
    uncontended()
    for kind, count in [("tasks", 1000), ("threads", 200), ("threads", 16)]:
        for hog in (False, True):
            paced(kind, count, 0.001, hog)
