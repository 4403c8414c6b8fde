"""Circles of references through a queue are collected, and the shortest interval is one."""

from __future__ import annotations

import gc
import weakref

import pytest

from apiqueue import ApiQueue, ConfigError, Registry


def test_a_queue_with_a_turn_of_its_own_among_its_attributes_is_collected():
    queue = ApiQueue(5)
    queue.mine = queue.turn()
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None


def test_a_queue_with_its_line_among_its_attributes_is_collected():
    queue = ApiQueue(5)
    queue.mine = queue.queue
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None


def test_a_with_that_is_never_left_keeps_no_queue():
    queue = ApiQueue(5)
    queue.mine = queue.turn()
    queue.mine.__enter__()
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None


def test_a_registry_with_its_queues_among_its_attributes_is_collected():
    class Mine(Registry):
        pass

    registry = Mine("aws")
    registry.ec2 = registry.queue("ec2/eu-west-1/DescribeInstances")
    gone = weakref.ref(registry)
    del registry
    gc.collect()
    assert gone() is None


def test_the_shortest_interval_is_one():
    assert ApiQueue(1e-6).rate_millis == 1e-6
    with pytest.raises(ConfigError, match=r"rate_millis=9e-07 is not in 1e-6\.\."):
        ApiQueue(9e-7)
