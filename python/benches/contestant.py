"""One row of the table: `contestant.py NAME thread|task CALLERS INTERVAL_MS CALLS ORIGINAL_DIR` prints it as JSON."""

import asyncio
import json
import os
import sys
import threading
import time

NAME, KIND, CALLERS, INTERVAL, CALLS, ORIGINAL = sys.argv[1:7]
CALLERS, INTERVAL, CALLS = int(CALLERS), int(INTERVAL), int(CALLS)


class Record:
    """When each call was released, and in which order they had joined."""

    def __init__(self):
        self._lock = threading.Lock()
        self._joined = 0
        self.released = []

    def join(self, enqueue):
        """Takes a number and joins as one step, so that the numbers are the order of the line."""
        with self._lock:
            self._joined += 1
            return self._joined, enqueue()

    def release(self, number):
        self.released.append((time.perf_counter(), number))


RECORD = Record()


def nothing():
    return None


def this():
    import apiqueue

    queue = apiqueue.ApiQueue(INTERVAL)
    queue.start()
    return queue.enqueue, lambda waiter: waiter.wait(), _awaited


async def _awaited(waiter):
    await waiter


def original():
    sys.path.insert(0, os.path.join(ORIGINAL, "apiqueue"))
    from apiqueue.apiqueue import ApiQueue

    queue = ApiQueue(INTERVAL)
    queue.start()

    def wait(waiter):
        while waiter.waiting:
            time.sleep(0)

    async def wait_async(waiter):
        while waiter.waiting:
            await asyncio.sleep(0)

    return queue.enqueue, wait, wait_async


def aiolimiter():
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(1, INTERVAL / 1000)
    return nothing, None, lambda _: limiter.acquire()


def pyrate_limiter():
    from pyrate_limiter import Limiter, Rate

    # Its default adds 50 ms to each wait.
    limiter = Limiter(Rate(1, INTERVAL), buffer_ms=0)
    return nothing, lambda _: limiter.try_acquire("one"), lambda _: limiter.try_acquire_async("one")


def requests_ratelimiter():
    import requests
    from pyrate_limiter import Limiter, Rate
    from requests.adapters import BaseAdapter
    from requests_ratelimiter import LimiterMixin

    answer = requests.Response()
    answer.status_code = 200

    class Nothing(BaseAdapter):
        def send(self, request, **_):
            return answer

        def close(self):
            pass

    class Adapter(LimiterMixin, Nothing):
        pass

    # By its `per_second` a second's calls go at once.
    adapter = Adapter(limiter=Limiter(Rate(1, INTERVAL), buffer_ms=0), per_host=False)
    request = requests.Request("GET", "http://localhost/").prepare()
    return nothing, lambda _: adapter.send(request), None


def threads(enqueue, wait):
    each = CALLS // CALLERS
    begin = threading.Barrier(CALLERS + 1)

    def call():
        begin.wait()
        for _ in range(each):
            number, waiter = RECORD.join(enqueue)
            wait(waiter)
            RECORD.release(number)

    crowd = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in crowd:
        thread.start()
    begin.wait()
    for thread in crowd:
        thread.join()


async def tasks(enqueue, wait):
    each = CALLS // CALLERS

    async def call():
        for _ in range(each):
            number, waiter = RECORD.join(enqueue)
            await wait(waiter)
            RECORD.release(number)

    await asyncio.gather(*(call() for _ in range(CALLERS)))


def main():
    contestants = {
        "this": this,
        "original": original,
        "aiolimiter": aiolimiter,
        "pyrate-limiter": pyrate_limiter,
        "requests-ratelimiter": requests_ratelimiter,
    }
    enqueue, wait, wait_async = contestants[NAME]()
    before = time.process_time()
    if KIND == "thread":
        threads(enqueue, wait)
    else:
        asyncio.run(tasks(enqueue, wait_async))
    cpu = time.process_time() - before
    released = sorted(RECORD.released)
    times = [at for at, _ in released]
    numbers = [number for _, number in released]
    gaps = [(later - earlier) * 1000 for earlier, later in zip(times, times[1:])]
    inversions = sum(1 for first, second in zip(numbers, numbers[1:]) if first > second)
    print(
        json.dumps(
            {
                "mean": sum(gaps) / len(gaps) / INTERVAL,
                "cpu_ms": cpu * 1000 / (len(times) / 1000),
                "inversions": inversions / len(gaps),
                "shortest_ms": min(gaps),
            }
        ),
        flush=True,
    )
    # The original's thread never ends by itself.
    os._exit(0)


main()
