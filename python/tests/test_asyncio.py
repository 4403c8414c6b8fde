"""Tasks of asyncio, in one loop and in several, and beside threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

from apiqueue import ApiQueue, Closed, ConfigError, Timeout
from running import run

HANGS = 60


def in_loop(main):
    return asyncio.run(asyncio.wait_for(main, HANGS))


def test_all_ways_to_await_give_a_turn():
    async def main():
        queue = ApiQueue(every=0.002, at_once=1)
        async with queue.turn() as turn:
            assert not turn.is_over
        assert turn.is_over
        turn = await queue.turn()
        turn.ok()
        waiter = queue.enqueue()
        turn = await waiter
        assert await waiter is turn
        turn.end()
        assert queue.stats().released == 3

    in_loop(main())


def test_a_thousand_tasks_go_in_the_order_in_which_they_came():
    queue = ApiQueue(every=0.0005)
    gone = []

    async def one(number):
        async with queue.turn():
            gone.append(number)

    async def main():
        begin = time.monotonic()
        await asyncio.gather(*(one(number) for number in range(1000)))
        return time.monotonic() - begin

    assert in_loop(main()) >= 999 * 0.0005 * 0.98
    assert gone == list(range(1000))


def test_what_is_raised_in_the_body_comes_out_and_the_turn_is_over():
    async def main():
        queue = ApiQueue(per_second=1000, at_once=1)
        with pytest.raises(KeyError):
            async with queue.turn():
                raise KeyError
        assert queue.stats().under_way == 0

    in_loop(main())


def test_a_task_that_is_cancelled_costs_nobody_a_turn():
    async def main():
        queue = ApiQueue(every=0.2)
        await queue.turn()
        tasks = [asyncio.ensure_future(_take(queue)) for _ in range(100)]
        last = asyncio.ensure_future(_take(queue))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        # 100 places of 0.2 s each would be 20 s.
        await asyncio.wait_for(last, 15)
        assert queue.stats().released == 2

    in_loop(main())


async def _take(queue):
    return await queue.turn()


def test_a_storm_of_timeouts_and_cancellations_leaves_the_rate_alone():
    async def main():
        queue = ApiQueue(every=0.002)
        got = 0

        async def one(number):
            nonlocal got
            try:
                await asyncio.wait_for(_take(queue), 0.001 * (number % 40))
                got += 1
            except asyncio.TimeoutError:
                pass

        begin = time.monotonic()
        for _ in range(5):
            await asyncio.gather(*(one(number) for number in range(100)))
        seconds = time.monotonic() - begin
        assert got <= seconds / 0.002 * 1.05 + 6
        assert len(queue) == 0 or queue.turn(timeout=30).wait()
        # And it goes on.
        assert await queue.turn(timeout=30)

    in_loop(main())


def test_who_is_cancelled_in_the_moment_of_the_release_gives_it_to_the_next():
    async def main():
        queue = ApiQueue(every=0.05)
        await queue.turn()
        first, second = asyncio.ensure_future(_take(queue)), asyncio.ensure_future(_take(queue))
        await asyncio.sleep(0)
        time.sleep(0.1)  # the loop is blocked: the release is there, and nobody has looked
        first.cancel()
        await asyncio.wait_for(second, 30)
        assert first.cancelled()

    in_loop(main())


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
def test_a_turn_that_does_not_come_in_time(timeout):
    async def main():
        queue = ApiQueue(every=60)
        assert await queue.turn(timeout=timeout)
        with pytest.raises(Timeout):
            await queue.turn(timeout=timeout)
        with pytest.raises(Timeout):
            async with queue.turn(timeout=timeout):
                pass
        assert queue.stats().cancelled == 2

    in_loop(main())


def test_a_stop_ends_all_waits():
    async def main():
        queue = ApiQueue(every=60)
        await queue.turn()
        tasks = [asyncio.ensure_future(_take(queue)) for _ in range(50)]
        await asyncio.sleep(0)
        queue.stop()
        said = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, Closed) for one in said)
        with pytest.raises(Closed):
            await queue.turn()

    in_loop(main())


def test_tasks_wait_for_a_place_in_a_full_line():
    async def main():
        queue = ApiQueue(every=0.001, capacity=2)
        await asyncio.gather(*(_take(queue) for _ in range(50)))
        assert queue.stats().released == 50

    in_loop(main())


def test_a_call_may_cost_more():
    async def main():
        queue = ApiQueue(every=0.001, burst=10)
        await queue.turn(weight=10)
        await queue.turn(weight=10)
        with pytest.raises(ConfigError):
            await queue.turn(weight=11)

    in_loop(main())


def test_two_tasks_that_await_one_waiter_do_not_hang():
    async def main():
        queue = ApiQueue(every=0.1)
        await queue.turn()
        waiter = queue.enqueue()

        async def one():
            return await waiter

        said = await asyncio.gather(one(), one(), return_exceptions=True)
        assert [type(each).__name__ for each in said] == ["Turn", "RuntimeError"]

    in_loop(main())


def test_a_waiter_whose_task_was_cancelled_has_left():
    async def main():
        queue = ApiQueue(every=60)
        await queue.turn()
        waiter = queue.enqueue()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waiter, 0.01)
        assert queue.stats().cancelled == 1

    in_loop(main())


def test_several_loops_in_threads_share_a_queue_with_threads_that_block():
    queue = ApiQueue(every=0.0005)
    taken = []

    async def main():
        await asyncio.gather(*(_take(queue) for _ in range(100)))
        taken.append(100)

    def blocks():
        for _ in range(50):
            queue.turn().wait()
        taken.append(50)

    threads = [threading.Thread(target=lambda: in_loop(main())) for _ in range(4)]
    threads += [threading.Thread(target=blocks) for _ in range(4)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(taken) == 600 and queue.stats().released == 600
    assert time.monotonic() - begin >= 599 * 0.0005 * 0.95


def test_many_loops_one_after_the_other_leave_nothing_open():
    import os

    queue = ApiQueue(every=0.0005)

    async def main():
        await asyncio.gather(*(_take(queue) for _ in range(3)))

    in_loop(main())
    gc.collect()
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for _ in range(50):
        in_loop(main())
    gc.collect()
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 2


def test_a_loop_that_is_closed_with_tasks_in_line_harms_nobody():
    queue = ApiQueue(every=0.02)
    queue.start()

    async def main():
        for _ in range(20):
            asyncio.ensure_future(_take(queue))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    loop = asyncio.new_event_loop()
    task = loop.create_task(_take(queue))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del task, loop
    gc.collect()
    assert queue.turn(timeout=30).wait()


def test_a_loop_that_watches_no_files():
    class Loop(asyncio.SelectorEventLoop):
        def add_reader(self, fd, *arguments):
            if getattr(self, "is_ready", False):
                raise NotImplementedError
            return super().add_reader(fd, *arguments)

    queue = ApiQueue(every=0.001)
    gone = []

    async def one(number):
        async with queue.turn():
            gone.append(number)

    async def main():
        await asyncio.gather(*(one(number) for number in range(100)))

    loop = Loop()
    try:
        # The selector's own pipe is watched already.
        loop.run_until_complete(asyncio.sleep(0))
        loop.is_ready = True
        loop.run_until_complete(asyncio.wait_for(main(), HANGS))
    finally:
        loop.close()
    assert gone == list(range(100))


def test_releases_go_on_beside_a_thread_that_hogs_the_interpreter():
    # The thread that releases never asks for the interpreter's lock: else each release would wait for a switch.
    program = """
    import asyncio, sys, threading, time
    import apiqueue

    sys.setswitchinterval(0.05)
    queue = apiqueue.ApiQueue(every=0.001)
    done = False

    def hog():
        while not done:
            pass

    async def one():
        await queue.turn()

    async def main():
        await asyncio.gather(*(one() for _ in range(300)))

    threading.Thread(target=hog, daemon=True).start()
    asyncio.run(asyncio.wait_for(main(), 50))
    done = True
    # All were released by the time, however late the tasks were told.
    print(queue.stats().interval_p50)
    """
    # Twice the interval is far from the 50 ms that a release under the lock would take.
    assert float(run(program)) < 0.025


def test_without_a_loop_it_says_so():
    queue = ApiQueue(per_second=1)
    queue.turn().wait()
    coroutine = _take(queue)
    with pytest.raises(RuntimeError):
        coroutine.send(None)
    assert len(queue) == 0 or queue.stats().cancelled == 1
