"""A program that uses what there is, for a type checker."""

from __future__ import annotations

from typing import Optional

from apiqueue import Account, ApiQueue, Closed, Limits, Rate, Registry, Turn


def threads(queue: ApiQueue) -> float:
    with queue.turn(timeout=5) as turn:
        waited: float = turn.waited
    one: Optional[Turn] = queue.try_turn()
    if one is not None:
        one.throttled(1.5)
    waiter = queue.enqueue()
    while waiter.waiting:
        pass
    return waited + waiter.wait().waited


async def tasks(queue: ApiQueue) -> Turn:
    async with queue.turn() as turn:
        turn.ok()
    turn = await queue.turn(weight=2)
    return await queue.enqueue()


def settings() -> None:
    account = Account(per_second=20, limits=[Rate(at_most=(5000, 3600))])
    queue = ApiQueue(every=0.1, burst=5, within=account, share="ec2")
    queue.rate_millis = 20
    registry = Registry(Limits.aws().overridden("limits.toml"))
    found: Optional[ApiQueue] = registry.queue("ec2/eu-west-1/DescribeInstances")
    try:
        print(found, len(queue), queue.stats()["released"], queue.stop(soft_stop=True).abandoned)
    except Closed:
        pass
