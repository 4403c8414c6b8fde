"""What a program that was written for the original apiqueue 0.1.1 finds here."""

from __future__ import annotations

import threading
import time

import pytest

import apiqueue
from apiqueue.apiqueue import ApiQueue


def poll(waiters: list) -> list[float]:
    """Polls all of them from one thread each, as such programs do; when each was let go, by the clock in seconds."""
    gone = [0.0] * len(waiters)

    def one(number: int) -> None:
        while waiters[number].waiting:
            time.sleep(0.001)
        gone[number] = time.monotonic()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(waiters))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(gone), "some were never let go"
    return gone


def test_ten_waiters_at_500_ms_go_one_each_500_ms():
    queue = ApiQueue(500)
    queue.start()
    begin = time.monotonic()
    gone = poll([queue.enqueue() for _ in range(10)])
    queue.stop()
    assert max(gone) - begin >= 9 * 0.5


def test_a_hundred_waiters_at_100_ms_go_one_each_100_ms():
    queue = ApiQueue(100)
    queue.debug = True
    queue.start()
    begin = time.monotonic()
    gone = poll([queue.enqueue() for _ in range(100)])
    queue.stop()
    assert max(gone) - begin >= 99 * 0.1
    assert len(queue.steps) == 100
    assert queue.steps == sorted(queue.steps)


def test_fifty_waiters_whose_rate_is_reset_to_20_ms_go_faster_from_then_on():
    queue = ApiQueue(500)
    queue.start()
    waiters = [queue.enqueue() for _ in range(50)]
    begin = time.monotonic()
    queue.reset_rate(20)
    gone = poll(waiters)
    queue.stop()
    assert queue.rate_millis == 20
    assert max(gone) - begin >= 48 * 0.02
    # At 500 ms they would have taken 24.5 s.
    assert max(gone) - begin < 20


def test_nobody_goes_before_start():
    queue = ApiQueue(1)
    waiters = [queue.enqueue() for _ in range(5)]
    time.sleep(0.05)
    assert all(waiter.waiting for waiter in waiters)
    assert (queue.queued, queue.queue.qsize(), queue.queue.empty(), len(queue)) == (5, 5, False, 5)
    queue.start()
    poll(waiters)
    assert (queue.queued, queue.queue.qsize(), queue.queue.empty(), len(queue)) == (0, 0, True, 0)


def test_the_burst_is_kept_until_start():
    queue = ApiQueue(every=1000, burst=5)
    waiters = [queue.enqueue() for _ in range(6)]
    time.sleep(0.05)
    queue.start()
    poll(waiters[:5])
    assert waiters[5].waiting


def test_after_a_hard_stop_nobody_may_go():
    queue = ApiQueue(10_000)
    queue.start()
    waiters = [queue.enqueue() for _ in range(3)]
    waiters[0].wait(30)
    report = queue.stop()
    assert (report.released, report.abandoned) == (0, 2)
    assert not waiters[0].waiting
    for waiter in waiters[1:]:
        for _ in range(2):
            with pytest.raises(apiqueue.Closed):
                waiter.waiting
        with pytest.raises(apiqueue.Closed):
            waiter.wait()
    with pytest.raises(apiqueue.Closed):
        queue.enqueue()


def test_a_soft_stop_lets_all_go_at_the_rate():
    queue = ApiQueue(20)
    queue.start()
    begin = time.monotonic()
    waiters = [queue.enqueue() for _ in range(10)]
    report = queue.stop(soft_stop=True)
    assert time.monotonic() - begin >= 9 * 0.02
    assert report.abandoned == 0
    assert not any(waiter.waiting for waiter in waiters)


def test_a_soft_stop_before_start_lets_those_in_line_go():
    queue = ApiQueue(1)
    waiters = [queue.enqueue() for _ in range(5)]
    assert queue.stop(True).released == 5
    assert not any(waiter.waiting for waiter in waiters)


def test_a_soft_stop_with_a_timeout_says_who_was_left():
    queue = ApiQueue(10_000)
    queue.start()
    waiters = [queue.enqueue() for _ in range(3)]
    report = queue.stop(soft_stop=True, timeout=0.05)
    assert report.abandoned == 2
    with pytest.raises(apiqueue.Closed):
        waiters[2].waiting


def test_a_stopped_queue_starts_again():
    queue = ApiQueue(1)
    for _ in range(3):
        queue.start()
        poll([queue.enqueue() for _ in range(5)])
        queue.stop()


def test_starting_and_stopping_twice_does_no_harm():
    queue = ApiQueue(1)
    queue.start()
    waiters = [queue.enqueue() for _ in range(5)]
    queue.start()
    poll(waiters)
    queue.stop()
    assert queue.stop().abandoned == 0


def test_the_rate_can_be_set_and_read():
    queue = ApiQueue(500)
    assert queue.rate_millis == 500.0
    queue.rate_millis = 20
    assert queue.rate_millis == 20.0
    queue.stop()
    queue.rate_millis = 7.5
    assert queue.rate_millis == 7.5
    queue.start()
    assert queue.rate_millis == 7.5


def test_a_rate_that_was_set_outlasts_a_stop():
    queue = ApiQueue(60_000)
    queue.reset_rate(1)
    queue.stop()
    queue.start()
    poll([queue.enqueue() for _ in range(5)])


def test_steps_are_kept_only_while_debug_is_on():
    queue = ApiQueue(1)
    queue.start()
    poll([queue.enqueue()])
    assert queue.steps == []
    queue.debug = True
    before = queue.now()
    poll([queue.enqueue() for _ in range(3)])
    after = queue.now()
    assert len(queue.steps) == 3
    assert all(before - 100 <= step <= after + 100 for step in queue.steps)
    queue.debug = False
    poll([queue.enqueue()])
    assert len(queue.steps) == 3


def test_steps_of_one_thread_that_polls_seldom_are_the_releases():
    queue = ApiQueue(20)
    queue.debug = True
    queue.start()
    waiters = [queue.enqueue() for _ in range(5)]
    time.sleep(0.3)
    assert not any(waiter.waiting for waiter in waiters)
    apart = [later - sooner for sooner, later in zip(queue.steps, queue.steps[1:])]
    assert all(19 <= time for time in apart), apart


def test_a_waiter_has_what_the_originals_has():
    queue = ApiQueue(100)
    before = queue.now()
    waiter = queue.enqueue()
    assert waiter.registered is True
    assert waiter.waiting is True
    assert waiter.timeout >= before
    assert abs(waiter.now() - time.time() * 1000) < 60_000
    assert isinstance(waiter, apiqueue.Waiter)
    waiter.registered = False
    assert waiter.registered is False
    assert len(queue) == 0 or queue.stats().cancelled == 1


def test_the_time_that_a_waiter_may_take_grows_with_the_line():
    queue = ApiQueue(100)
    first, *_, last = [queue.enqueue() for _ in range(10)]
    assert last.timeout >= first.timeout + 5 * 9 * 100


def test_an_empty_queue_is_true():
    assert ApiQueue(10)


def test_the_class_has_its_waiter():
    assert ApiQueue.Waiter is apiqueue.Waiter
    assert abs(ApiQueue.now() - time.time() * 1000) < 60_000


def test_a_subclass_and_attributes_of_its_own_work():
    class Mine(ApiQueue):
        def enqueue(self):
            self.count = getattr(self, "count", 0) + 1
            return super().enqueue()

    queue = Mine(1)
    queue.start()
    poll([queue.enqueue() for _ in range(3)])
    assert queue.count == 3


def test_a_subclass_may_have_a_constructor_of_its_own():
    class Mine(ApiQueue):
        def __init__(self, service, *, rate=1):
            super().__init__(rate)
            self.service = service

    queue = Mine("ec2", rate=2)
    assert (queue.service, queue.rate_millis) == ("ec2", 2)
    queue.start()
    poll([queue.enqueue() for _ in range(3)])

    class Forgets(ApiQueue):
        def __init__(self):
            pass

    for ask in [Forgets().start, Forgets().enqueue, Forgets().turn().wait, lambda: len(Forgets()), lambda: Forgets().rate_millis]:
        with pytest.raises(RuntimeError, match="__init__"):
            ask()
    assert "Queue" in repr(Forgets())
    with pytest.raises(RuntimeError, match="__init__"):
        queue.__init__("again")
    assert queue.rate_millis == 2
