"""Everything at once for a while, with flat memory: python benches/soak.py [SECONDS]

Threads, tasks, polls, timeouts, cancellations, stops, restarts, rates that change, forks and loops that come and go. Prints the memory each tenth of the
time, and ends with 1 if it has grown by more than 8 MB and a tenth between the second and the last.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import threading
import time
import warnings

import apiqueue

warnings.simplefilter("ignore", DeprecationWarning)


def resident() -> float:
    """In MB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(seconds: float) -> int:
    end = time.monotonic() + seconds
    queue = apiqueue.ApiQueue(every=0.0002, capacity=64)
    account = apiqueue.Account(per_second=5000)
    inside = [apiqueue.ApiQueue(every=0.001, within=account, at_once=3, start=True) for _ in range(3)]
    registry = apiqueue.Registry("aws")
    counts = {"turns": 0, "timeouts": 0, "closed": 0, "full": 0, "forks": 0, "loops": 0}

    def blocks() -> None:
        chance = random.Random()
        while time.monotonic() < end:
            try:
                with chance.choice([queue, *inside]).turn(timeout=chance.choice([None, 0.001, 0.01, 0])):
                    counts["turns"] += 1
            except apiqueue.Timeout:
                counts["timeouts"] += 1
            except apiqueue.Closed:
                counts["closed"] += 1

    def polls() -> None:
        while time.monotonic() < end:
            try:
                waiters = [queue.enqueue() for _ in range(5)]
                del waiters[2]
                while any([waiter.waiting for waiter in waiters]):
                    time.sleep(0.0005)
                counts["turns"] += 4
            except apiqueue.Closed:
                counts["closed"] += 1
            except apiqueue.Full:
                counts["full"] += 1
                time.sleep(0.001)

    async def take() -> None:
        try:
            async with queue.turn(timeout=random.choice([None, 0.001, 0.01])):
                counts["turns"] += 1
        except apiqueue.Timeout:
            counts["timeouts"] += 1
        except apiqueue.Closed:
            counts["closed"] += 1

    async def tasks() -> None:
        counts["loops"] += 1
        for _ in range(20):
            some = [asyncio.ensure_future(take()) for _ in range(20)]
            for one in random.sample(some, 5):
                asyncio.get_running_loop().call_later(random.random() * 0.003, one.cancel)
            await asyncio.gather(*some, return_exceptions=True)

    def loops() -> None:
        while time.monotonic() < end:
            asyncio.run(tasks())

    def changes() -> None:
        while time.monotonic() < end:
            time.sleep(0.05)
            queue.reset_rate(random.choice([0.1, 0.2, 0.5]))
            account.hold_for(0.001)
            short = apiqueue.ApiQueue(every=0.01)
            short.start()
            kept = [short.enqueue() for _ in range(10)]
            short.stop(soft_stop=random.random() < 0.2, timeout=0.01)
            del short, kept
            for number in range(20):
                one = registry.queue(f"ec2/eu-west-1/Describe{number}")
                assert one is not None
                one.try_turn()
            if random.random() < 0.2:
                queue.stop()
                queue.start()

    threads = [threading.Thread(target=what) for what in [blocks] * 6 + [polls] * 2 + [loops] * 2 + [changes]]
    for thread in threads:
        thread.start()
    memory = []
    for tenth in range(10):
        until = end - seconds * (9 - tenth) / 10
        while time.monotonic() < min(until, end - 0.5):
            time.sleep(0.2)
            if random.random() < 0.2 and hasattr(os, "fork"):
                pid = os.fork()
                if pid == 0:
                    # It may have been stopped just now.
                    queue.start()
                    queue.turn(timeout=30).wait()
                    os._exit(0)
                _, status = os.waitpid(pid, 0)
                assert status == 0, status
                counts["forks"] += 1
        gc.collect()
        memory.append(resident())
        print(f"{memory[-1]:7.1f} MB, {threading.active_count()} threads, {counts}", flush=True)
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            print("a thread hangs")
            return 1
    return int(memory[-1] > memory[1] * 1.1 + 8)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60))
