"""What programs do that were not thought of."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import weakref

import pytest

import apiqueue
from apiqueue import ApiQueue, Closed, ConfigError, Full, Registry, Timeout
from running import run


def all_end(threads):
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"


def test_starts_and_stops_in_a_storm_beside_all_ways_to_wait():
    queue = ApiQueue(every=0.0005, capacity=8)
    end = time.monotonic() + 1.0
    wrong = []

    def guarded(what):
        def run():
            while time.monotonic() < end:
                try:
                    what()
                except (Closed, Full, Timeout):
                    pass
                except BaseException as why:
                    wrong.append(why)
                    return

        return threading.Thread(target=run)

    async def tasks():
        await asyncio.gather(*(take() for _ in range(5)), return_exceptions=True)

    async def take():
        async with queue.turn(timeout=0.01):
            pass

    def polls():
        waiter = queue.enqueue()
        while waiter.waiting and time.monotonic() < end:
            pass

    def turns():
        with queue.turn(timeout=0.01):
            pass

    threads = [guarded(what) for what in [turns, turns, polls, polls, queue.start, queue.stop, lambda: queue.stop(True, 0.001)]]
    threads += [guarded(lambda: asyncio.run(tasks())), guarded(lambda: queue.reset_rate(0.5)), guarded(queue.stats), guarded(lambda: repr(queue))]
    for thread in threads:
        thread.start()
    all_end(threads)
    assert not wrong, wrong
    queue.start()
    queue.reset_rate(0.5)
    assert queue.turn(timeout=30).wait()


def test_an_exception_in_every_place_of_a_with_leaves_no_call_under_way():
    queue = ApiQueue(per_second=1_000_000, at_once=1)
    for error in [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, StopIteration]:
        with pytest.raises(error):
            with queue.turn(timeout=30):
                raise error
    turn = queue.turn(timeout=30)
    with pytest.raises(Timeout):
        with queue.turn(timeout=30):
            with queue.turn(timeout=0):
                pass
    with turn:
        pass
    assert queue.stats().under_way == 0


def test_a_generator_that_is_left_in_the_middle_ends_its_turn():
    queue = ApiQueue(per_second=1_000_000, at_once=1)

    def pages():
        with queue.turn():
            yield 1
            yield 2

    some = pages()
    next(some)
    assert queue.stats().under_way == 1
    some.close()
    assert queue.stats().under_way == 0


def test_leaving_without_having_entered_does_no_harm():
    queue = ApiQueue(per_second=1000)
    pending = queue.turn()
    pending.__exit__(None, None, None)
    pending.__exit__()
    with pending:
        pass
    turn = pending.wait()
    for _ in range(2):
        turn.ok(), turn.throttled(), turn.give_back(), turn.end(), turn.__exit__()
    assert queue.stats().given_back == 0


def test_waiters_in_circles_are_collected_and_leave():
    queue = ApiQueue(every=60)
    queue.turn().wait()

    class Holder:
        pass

    for _ in range(10):
        holder = Holder()
        holder.waiter, holder.me = queue.enqueue(), holder
    gone = weakref.ref(holder.waiter)
    del holder
    gc.collect()
    assert gone() is None and queue.stats().cancelled == 10


def test_a_queue_that_holds_itself_is_no_hang():
    queue = ApiQueue(every=0.001)
    queue.me = queue
    queue.turn().wait()
    del queue
    gc.collect()


def test_all_that_is_there_may_be_called_from_a_finaliser():
    queue = ApiQueue(every=0.001)
    seen = []

    class Last:
        def __del__(self):
            seen.append((queue.turn(timeout=30).wait(), len(queue), repr(queue), queue.stats()))

    one = Last()
    one.me = one
    del one
    gc.collect()
    assert len(seen) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_handler_may_use_the_queue_that_is_waited_for():
    program = """
    import signal, apiqueue
    queue = apiqueue.ApiQueue(every=0.3)
    queue.turn().wait()
    waiter = queue.enqueue()
    said = []

    def handler(*_):
        said.append((waiter.waiting, len(queue), queue.try_turn()))
        try:
            waiter.wait()
        except RuntimeError:
            said.append("told")

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    waiter.wait(30)
    print(said[0][0], said[1])
    """
    assert run(program).split() == ["True", "told"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_what_a_signal_handler_raises_ends_the_wait_and_keeps_the_place():
    program = """
    import signal, apiqueue
    queue = apiqueue.ApiQueue(every=0.4)
    queue.turn().wait()
    waiter = queue.enqueue()

    class Enough(Exception):
        pass

    def handler(*_):
        raise Enough

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        waiter.wait()
    except Enough:
        print(waiter.waiting, len(queue))
    assert waiter.wait(30)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        queue.turn().wait()
    except Enough:
        print(queue.stats().cancelled)
    """
    assert run(program).split() == ["True", "1", "1"]


def test_a_thousand_queues():
    queues = [ApiQueue(every=0.01, start=True) for _ in range(1000)]
    waiters = [queue.enqueue() for queue in queues for _ in range(2)]
    for waiter in waiters:
        waiter.wait(30)
    # One thread of the extension's drives them all, and none of the interpreter's.
    assert threading.active_count() < 50


def test_one_registry_for_many_threads():
    registry = Registry("[default]\nevery = '1m'\n")
    taken = []

    def one():
        for number in range(50):
            if registry.queue(f"key-{number}").try_turn() is not None:
                taken.append(number)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    all_end(threads)
    assert sorted(taken) == list(range(50))


def test_deep_recursion_and_tracing_do_no_harm():
    queue = ApiQueue(per_second=1_000_000)

    def deep(count):
        with queue.turn():
            return deep(count - 1) if count else 0

    sys.settrace(lambda *_: None)
    try:
        assert deep(100) == 0
        with pytest.raises(RecursionError):
            deep(100_000)
    finally:
        sys.settrace(None)
    assert queue.turn(timeout=30).wait()


@pytest.mark.parametrize("weight", [0, -1, 1.5, 2**16, 2**70, float("nan")])
def test_costs_that_cannot_be(weight):
    queue = ApiQueue(per_second=1, burst=10)
    for ask in [lambda: queue.turn(weight=weight), lambda: queue.enqueue(weight)]:
        with pytest.raises(ConfigError):
            ask()


@pytest.mark.parametrize("weight", ["1", True, None])
def test_costs_of_another_type(weight):
    queue = ApiQueue(per_second=1, burst=10)
    if weight is None:
        assert queue.turn(weight).wait()
        return
    with pytest.raises(TypeError):
        queue.turn(weight=weight)


def test_types_cannot_be_made_by_hand():
    for kind in [apiqueue.Waiter, apiqueue.Turn, apiqueue.PendingTurn, apiqueue.Stats, apiqueue.StopReport]:
        with pytest.raises(TypeError):
            kind()


def test_what_is_there_cannot_be_overwritten():
    queue = ApiQueue(per_second=1000)
    turn, waiter = queue.turn().wait(), queue.enqueue()
    for one, name in [(queue, "name"), (turn, "waited"), (waiter, "waiting"), (queue.stats(), "released"), (queue, "queued")]:
        with pytest.raises(AttributeError):
            setattr(one, name, 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_inside_a_running_loop():
    program = """
    import asyncio, os, warnings, apiqueue
    warnings.simplefilter("ignore", DeprecationWarning)
    queue = apiqueue.ApiQueue(every=0.005)

    async def take():
        async with queue.turn():
            pass

    async def main():
        some = [asyncio.ensure_future(take()) for _ in range(20)]
        await asyncio.sleep(0.02)
        pid = os.fork()
        if pid == 0:
            try:
                queue.turn(timeout=30).wait()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        await asyncio.gather(*some)

    asyncio.run(asyncio.wait_for(main(), 50))
    print("done")
    """
    assert run(program).strip() == "done"
