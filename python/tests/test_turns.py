"""Turns: in threads, by `with`, by `wait`, at once."""

from __future__ import annotations

import datetime
import gc
import threading
import time
import weakref

import pytest

import apiqueue
from apiqueue import ApiQueue, Closed, ConfigError, Full, Rate, Timeout


def test_a_turn_starts_a_queue_that_was_never_started():
    queue = ApiQueue(per_second=1000)
    with queue.turn() as turn:
        assert turn.waited == 0
        assert not turn.is_over
    assert turn.is_over
    assert queue.stats().released == 1


def test_what_is_raised_in_the_body_comes_out_and_the_turn_is_over():
    queue = ApiQueue(per_second=1000, at_once=1)
    with pytest.raises(KeyError):
        with queue.turn():
            raise KeyError("mine")
    assert queue.stats().under_way == 0
    with queue.turn(timeout=30):
        assert queue.stats().under_way == 1


def test_the_same_with_can_be_entered_again_and_inside_itself():
    queue = ApiQueue(per_second=1000)
    turn = queue.turn()
    with turn as outer:
        with turn as inner:
            assert outer is not inner
        assert inner.is_over and not outer.is_over
    assert outer.is_over
    with turn:
        pass
    assert queue.stats().released == 3


def test_threads_go_in_the_order_in_which_they_came():
    queue = ApiQueue(every=0.002)
    gone = []
    waiters = [queue.enqueue() for _ in range(50)]

    def one(number):
        waiters[number].wait()
        gone.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in reversed(range(50))]
    for thread in threads:
        thread.start()
    queue.start()
    for thread in threads:
        thread.join(60)
    turns = [waiter.wait() for waiter in waiters]
    assert [turn.waited_behind for turn in turns] == list(range(50))
    assert sorted(gone) == list(range(50))


def test_a_thousand_turns_of_a_millisecond_take_a_second_also_where_nobody_looks_at_once():
    # A waiter that was released and is looked at later has its turn still: it is not handed on, which would be too fast.
    queue = ApiQueue(every=0.001)
    begin = time.monotonic()
    for _ in range(1000):
        waiter = queue.enqueue()
        queue.start()
        while waiter.waiting:
            pass
        del waiter
    assert time.monotonic() - begin >= 0.999 * 0.99


def test_who_has_seen_that_the_turn_has_come_has_it():
    queue = ApiQueue(every=60)
    queue.start()
    waiter = queue.enqueue()
    assert not waiter.waiting
    del waiter
    gc.collect()
    assert queue.try_turn() is None
    assert queue.enqueue().waiting


def test_a_wait_that_times_out_keeps_its_place():
    queue = ApiQueue(every=0.3)
    queue.turn().wait()
    waiter = queue.enqueue()
    with pytest.raises(Timeout) as why:
        waiter.wait(0.01)
    assert isinstance(why.value, TimeoutError) and "0.01" in str(why.value)
    assert waiter.waiting and len(queue) == 1
    assert waiter.wait(30).waited > 0


@pytest.mark.parametrize("timeout", [0, -1, -0.0, float("-inf"), datetime.timedelta(0)])
def test_no_time_at_all_is_a_look(timeout):
    queue = ApiQueue(every=60)
    queue.start()
    assert queue.turn(timeout=timeout).wait()
    with pytest.raises(Timeout):
        queue.turn(timeout=timeout).wait()
    with pytest.raises(Timeout):
        queue.enqueue().wait(timeout)


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 10**400, None])
def test_a_time_without_end_is_for_ever(timeout):
    queue = ApiQueue(every=0.01)
    queue.turn().wait()
    assert queue.turn(timeout=timeout).wait()
    assert queue.enqueue().wait(timeout)


@pytest.mark.parametrize("timeout", ["1", True, b"", object()])
def test_what_is_no_time_is_a_type_error(timeout):
    queue = ApiQueue(every=0.01)
    with pytest.raises(TypeError):
        queue.turn(timeout=timeout)
    with pytest.raises(TypeError):
        queue.enqueue().wait(timeout)


def test_not_a_number_is_no_time():
    with pytest.raises(ConfigError):
        ApiQueue(10).turn(timeout=float("nan"))


def test_a_turn_that_timed_out_has_left_the_line():
    queue = ApiQueue(every=60)
    queue.turn().wait()
    for _ in range(20):
        with pytest.raises(Timeout):
            queue.turn(timeout=0.001).wait()
    assert queue.stats().cancelled == 20


def test_a_waiter_that_is_dropped_leaves_the_line():
    queue = ApiQueue(every=0.2)
    queue.turn().wait()
    dropped = [queue.enqueue() for _ in range(100)]
    last = queue.enqueue()
    del dropped
    # 100 places of 0.2 s each would be 20 s.
    last.wait(15)


def test_a_waiter_that_was_cancelled_says_so():
    queue = ApiQueue(every=60)
    waiter = queue.enqueue()
    waiter.cancel()
    waiter.cancel()
    with pytest.raises(RuntimeError):
        waiter.wait()
    assert "left" in repr(waiter)


def test_two_threads_that_wait_with_one_waiter_do_not_both_go():
    queue = ApiQueue(every=0.3)
    queue.turn().wait()
    waiter = queue.enqueue()
    came = []

    def one():
        try:
            came.append(waiter.wait(30))
        except RuntimeError as why:
            came.append(why)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    turns = [one for one in came if isinstance(one, apiqueue.Turn)]
    assert len(came) == 2 and len({id(turn) for turn in turns}) == 1


def test_now_or_not_at_all():
    queue = ApiQueue(every=60)
    turn = queue.try_turn()
    assert turn is not None and not turn.is_over
    assert queue.try_turn() is None
    queue.stop()
    with pytest.raises(Closed):
        queue.try_turn()


def test_within_a_time_or_not_at_all():
    queue = ApiQueue(every=60)
    queue.turn().wait()
    with pytest.raises(Timeout):
        queue.enqueue_within(5)
    assert queue.enqueue_within(120).waiting


def test_a_full_line_says_so_and_a_turn_waits_for_a_place():
    queue = ApiQueue(every=0.01, capacity=2)
    waiters = [queue.enqueue() for _ in range(2)]
    with pytest.raises(Full):
        queue.enqueue()
    threads = [threading.Thread(target=queue.turn().wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(waiter.waiting for waiter in waiters)
    assert queue.stats().released == 12


def test_calls_that_cost_more_wait_for_a_place_too():
    queue = ApiQueue(every=0.001, burst=5, capacity=2, start=True)
    threads = [threading.Thread(target=queue.turn(weight=5).wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert queue.stats().released == 10


def test_a_stop_ends_all_waits():
    queue = ApiQueue(every=60, capacity=1)
    queue.turn().wait()
    said = []

    def one():
        try:
            queue.turn().wait()
        except Closed:
            said.append("closed")

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    while queue.stats().without_place + len(queue) < 10:
        time.sleep(0.001)
    queue.stop()
    for thread in threads:
        thread.join(60)
    assert said == ["closed"] * 10


def test_a_call_may_cost_more():
    queue = ApiQueue(every=60, burst=10)
    with queue.turn(weight=7):
        pass
    assert queue.try_turn() is not None
    with pytest.raises(Timeout):
        queue.turn(weight=3, timeout=0).wait()
    with pytest.raises(ConfigError):
        queue.turn(weight=11).wait()
    with pytest.raises(ConfigError):
        queue.turn(weight=0)


def test_a_turn_that_is_given_back_goes_to_the_next():
    queue = ApiQueue(every=60)
    for _ in range(20):
        queue.turn(timeout=30).wait().give_back()
    assert queue.stats().given_back == 20


def test_what_a_call_has_cost_is_charged_and_refunded():
    queue = ApiQueue(every=60, burst=3)
    turn = queue.turn().wait()
    turn.charge(2)
    assert queue.try_turn() is None
    turn.refund(1)
    assert queue.try_turn() is not None
    queue.refund(1)
    assert queue.try_turn() is not None
    queue.charge(1)
    turn.ok()
    with pytest.raises(ConfigError):
        turn.charge(1)


def test_who_was_throttled_holds_the_queue():
    queue = ApiQueue(per_second=1000, burst=1000)
    queue.turn().wait().throttled(60)
    assert queue.try_turn() is None
    waiter = queue.enqueue()
    assert waiter.waiting
    queue.resume()
    waiter.wait(30)


def test_a_hold_by_hand():
    queue = ApiQueue(per_second=1000)
    queue.start()
    begin = time.monotonic()
    queue.hold_for(0.1)
    queue.turn().wait()
    assert time.monotonic() - begin >= 0.1


def test_a_hold_before_start_goes_on_after_it():
    queue = ApiQueue(per_second=1000)
    queue.hold_for(0.2)
    begin = time.monotonic()
    queue.turn().wait()
    assert time.monotonic() - begin >= 0.15


def test_a_soft_stop_does_not_end_a_hold():
    queue = ApiQueue(per_second=1000)
    queue.start()
    queue.hold_for(60)
    waiter = queue.enqueue()
    assert queue.stop(soft_stop=True, timeout=0.1).abandoned == 1
    with pytest.raises(Closed):
        waiter.waiting


def test_calls_under_way_are_limited():
    queue = ApiQueue(per_second=1_000_000, at_once=2)
    one, two = queue.turn().wait(), queue.turn().wait()
    assert queue.try_turn() is None
    one.end()
    three = queue.turn(timeout=30).wait()
    assert queue.stats().under_way == 2
    # A turn that goes is over.
    del three
    gc.collect()
    assert queue.stats().under_way == 1
    two.throttled()
    assert queue.stats().under_way == 0


def test_a_turn_is_a_with_of_its_own():
    queue = ApiQueue(per_second=1000, at_once=1)
    with queue.turn().wait() as turn:
        assert queue.stats().under_way == 1
    assert turn.is_over


def test_several_limits_bind_together():
    queue = ApiQueue(per_second=1000, burst=1000, limits=[Rate(every=60, burst=3)])
    for _ in range(3):
        assert queue.turn(timeout=30).wait()
    assert queue.try_turn() is None


def test_so_many_in_any_window():
    queue = ApiQueue(at_most=(3, 60), burst=3)
    assert [queue.try_turn() is not None for _ in range(5)] == [True] * 3 + [False] * 2


def test_accounts_bind_all_their_queues():
    account = apiqueue.Account(every=60, burst=3, name="account")
    queues = [ApiQueue(per_second=1000, burst=10, within=account, name=name) for name in "ab"]
    for queue in queues * 2:
        queue.start()
    assert [queue.try_turn() is not None for queue in queues * 2] == [True, True, True, False]
    assert "account" in str(account)
    account.hold_for(1)
    account.resume()
    account.set_rate(every=0.001, burst=3)
    assert queues[0].turn(timeout=30).wait()


def test_a_rate_that_is_found():
    queue = ApiQueue(adaptive=True)
    before = queue.per_second
    queue.turn().wait().throttled()
    assert queue.per_second < before


def test_a_queue_in_a_with_drains_at_its_end():
    with ApiQueue(every=0.01) as queue:
        waiters = [queue.enqueue() for _ in range(5)]
    assert queue.closed
    assert not any(waiter.waiting for waiter in waiters)


def test_a_queue_in_a_with_whose_body_fails_stops_at_once():
    with pytest.raises(KeyError):
        with ApiQueue(every=60) as queue:
            waiters = [queue.enqueue() for _ in range(5)]
            raise KeyError
    with pytest.raises(Closed):
        waiters[4].waiting


def test_a_queue_that_goes_with_waiters_in_line_releases_them_still():
    queue = ApiQueue(every=0.01)
    queue.start()
    waiters = [queue.enqueue() for _ in range(5)]
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None
    for waiter in waiters:
        waiter.wait(30)


def test_the_rate_changes_while_others_poll():
    queue = ApiQueue(60_000)
    queue.start()
    waiters = [queue.enqueue() for _ in range(40)]
    done = threading.Event()

    def poll(mine):
        while any([waiter.waiting for waiter in mine]):
            time.sleep(0)
        done.set()

    threads = [threading.Thread(target=poll, args=(waiters[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for rate in [50_000, 10, 30_000, 5, 1]:
        queue.reset_rate(rate)
        time.sleep(0.01)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_stats_are_attributes_and_a_mapping():
    queue = ApiQueue(every=0.001, name="ec2")
    for _ in range(3):
        queue.turn().wait()
    stats = queue.stats()
    assert (stats.name, stats.released, stats["released"]) == ("ec2", 3, 3)
    assert dict(stats)["released"] == 3
    assert set(stats.keys()) == set(dict(stats))
    assert stats.interval_mean >= 0.0009
    with pytest.raises(KeyError):
        stats["nothing"]
    assert "released" in str(stats)


def test_a_call_that_costs_more_than_can_gather_is_told_at_once_in_a_full_line_too():
    queue = ApiQueue(every=60, burst=2, capacity=1)
    waiter = queue.enqueue()
    queue.start()
    queue.hold_for(3600)
    held = queue.enqueue() if not waiter.waiting else waiter
    with pytest.raises(ConfigError, match="3"):
        queue.turn(weight=3).wait()
    with pytest.raises(Timeout):
        queue.turn(weight=2, timeout=0).wait()
    held.cancel()
