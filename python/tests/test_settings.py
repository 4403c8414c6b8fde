"""What can't be is told, with its value and what may be."""

from __future__ import annotations

import copy
import datetime
import pickle

import pytest

import apiqueue
from apiqueue import Account, ApiQueue, ConfigError, Limits, Rate, Registry


@pytest.mark.parametrize("rate", [0, -1, -0.0, float("nan"), float("inf"), float("-inf"), 1e300, 10**400, 1e-12])
def test_rates_that_cannot_be(rate):
    queue = ApiQueue(10)
    for ask in [
        lambda: ApiQueue(rate),
        lambda: ApiQueue(per_second=rate),
        lambda: ApiQueue(every=rate),
        lambda: Rate(per_second=rate),
        lambda: queue.reset_rate(rate),
        lambda: queue.set_rate(every=rate),
        lambda: setattr(queue, "rate_millis", rate),
        lambda: Account(per_second=rate),
    ]:
        with pytest.raises(ConfigError) as why:
            ask()
        assert isinstance(why.value, ValueError) and isinstance(why.value, apiqueue.Error)
        assert "in" in str(why.value)
    assert queue.rate_millis == 10


@pytest.mark.parametrize("rate", ["10", b"10", True, False, [], {}, object(), 1j])
def test_what_is_no_rate_is_a_type_error(rate):
    queue = ApiQueue(10)
    for ask in [
        lambda: ApiQueue(rate),
        lambda: ApiQueue(per_second=rate),
        lambda: ApiQueue(every=rate),
        lambda: queue.reset_rate(rate),
        lambda: queue.hold_for(rate),
    ]:
        with pytest.raises(TypeError):
            ask()
    with pytest.raises(TypeError):
        queue.rate_millis = rate


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_holds_that_cannot_be(seconds):
    queue = ApiQueue(10)
    with pytest.raises(ConfigError):
        queue.hold_for(seconds)
    turn = queue.turn().wait()
    with pytest.raises(ConfigError):
        turn.throttled(seconds)
    # Nothing came of it, and the turn can still say how it went.
    assert not turn.is_over
    turn.ok()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"per_second": 1, "every": 1},
        {"rate_millis": 1, "per_second": 1},
        {"burst": 5},
        {"per_second": 1, "burst": 0},
        {"per_second": 1, "burst": -1},
        {"per_second": 1, "burst": 1.5},
        {"per_second": 1, "capacity": 0},
        {"per_second": 1, "capacity": 2**40},
        {"per_second": 1, "at_once": 0},
        {"per_second": 1, "priority": 3},
        {"per_second": 1, "part": 2},
        {"at_most": (0, 1)},
        {"at_most": (1, 0)},
        {"per_second": 1, "share": ""},
        {"per_second": 1, "share": "relative/path"},
        {"per_second": 1, "share": "http://example.com"},
        {"per_second": 1, "share": "redis://localhost"},
    ],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(ConfigError):
        ApiQueue(**settings)


@pytest.mark.parametrize(
    "settings", [{"limits": [5]}, {"limits": 5}, {"within": 5}, {"name": 5}, {"at_most": 5}, {"nothing": 5}, {"share": 5}]
)
def test_settings_of_another_type(settings):
    with pytest.raises(TypeError):
        ApiQueue(per_second=1, **settings)


def test_times_may_be_timedeltas():
    assert ApiQueue(every=datetime.timedelta(milliseconds=20)).rate_millis == 20
    ApiQueue(10).hold_for(datetime.timedelta(seconds=0))


def test_rates_say_what_they_are():
    assert Rate(per_second=10) == Rate(every=0.1)
    assert Rate(per_second=10) != Rate(per_second=11)
    assert ApiQueue(per_second=0.5).rate_millis == 2000
    assert ApiQueue(per_second=3).per_second == pytest.approx(3, rel=1e-6)
    assert Rate(per_second=10, burst=5).burst == 5
    assert Rate(per_second=10, strict=True).strict
    assert "10/s" in repr(Rate(per_second=10))


def test_no_rate_is_exceeded_by_rounding():
    for rate in [3, 7, 0.3, 999.999, 1e5 / 3]:
        assert ApiQueue(per_second=rate).per_second <= rate * (1 + 1e-12)


def test_a_burst_can_be_set_with_a_rate_and_stays_without():
    queue = ApiQueue(per_second=1, burst=5)
    queue.set_rate(per_second=1e-3)
    assert [queue.try_turn() is not None for _ in range(6)] == [True] * 5 + [False]
    with pytest.raises(ConfigError):
        queue.set_rate()
    with pytest.raises(ConfigError):
        queue.set_rate(per_second=1, every=1)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_lives_in_this_process_is_not_copied(copied):
    queue = ApiQueue(10)
    waiter = queue.enqueue()
    turn = queue.turn().wait() if not queue.stop() else None
    for one in [queue, waiter, ApiQueue(10).turn(), ApiQueue(1).turn().wait(), Account(per_second=1), Registry("aws"), turn]:
        if one is None:
            continue
        with pytest.raises(TypeError) as why:
            copied(one)
        assert "share=" in str(why.value), one


def test_repr_of_everything_says_what_it_is():
    queue = ApiQueue(per_second=5, name="ec2")
    for one in [queue, queue.enqueue(), queue.turn(), Account(per_second=1, name="x"), Registry("aws"), Limits.aws(), queue.stats(), queue.stop()]:
        assert type(one).__name__ in repr(one)
