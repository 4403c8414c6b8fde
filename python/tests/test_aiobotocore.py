"""aiobotocore: the same by `await`."""

import asyncio

import pytest
from boto_fixtures import *  # noqa: F403
from support import REGION, STEADY, fast_registry, limits, released

pytest.importorskip("aiobotocore", reason="aiobotocore is not installed")

from aiobotocore.config import AioConfig  # noqa: E402
from aiobotocore.session import AioSession, get_session  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

import apiqueue  # noqa: E402
import apiqueue.boto  # noqa: E402

REGIONS = f"ec2/{REGION}/DescribeRegions"
XML = {"Content-Type": "text/xml"}
BROKEN = (
    500,
    XML,
    b"<Response><Errors><Error><Code>InternalError</Code><Message>x</Message></Error></Errors></Response>",
)
THROTTLED = (
    503,
    {**XML, "Retry-After": "1"},
    b"<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>",
)


def ec2(url, session=None, **config):
    config.setdefault("max_pool_connections", 50)
    return (session or get_session()).create_client("ec2", endpoint_url=url, config=AioConfig(**config))


def test_two_hundred_tasks_are_never_throttled_by_ec2_s_buckets(moto):
    apiqueue.boto.install(limits=["aws", STEADY])

    async def main():
        async with ec2(moto.url) as client:
            answers = await asyncio.gather(*(client.describe_regions() for _ in range(200)))
            return sum(it["ResponseMetadata"]["RetryAttempts"] for it in answers)

    assert asyncio.run(main()) == 0
    assert moto.counts()["DescribeRegions"] == {"taken": 200, "throttled": 0}


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_each_retry_takes_a_turn_of_its_own(mode, scripted):
    server = scripted(BROKEN, BROKEN)
    installed = apiqueue.boto.install(limits=fast_registry())

    async def main():
        async with ec2(server.url, retries={"mode": mode, "total_max_attempts": 3}) as client:
            await client.describe_regions()

    asyncio.run(main())
    assert released(installed.registry) == {REGIONS: 3}


def test_a_throttling_answer_holds_and_the_loop_goes_on_meanwhile(scripted):
    server = scripted(THROTTLED)
    apiqueue.boto.install(limits=fast_registry())

    async def main():
        ticks = 0
        async with ec2(server.url, retries={"total_max_attempts": 1}) as client:
            with pytest.raises(ClientError, match="RequestLimitExceeded"):
                await client.describe_regions()
            task = asyncio.ensure_future(client.describe_regions())
            while not task.done():
                await asyncio.sleep(0.02)
                ticks += 1
            await task
        return ticks

    assert asyncio.run(main()) > 1
    assert server.gaps()[0] >= 0.99


def test_a_cancelled_task_leaves_the_line(scripted):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    queue = registry.queue(REGIONS)

    async def main():
        async with ec2(server.url) as client:
            queue.hold_for(3600)
            task = asyncio.ensure_future(client.describe_regions())
            while len(queue) == 0:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert queue.stats().cancelled == 1
            queue.resume()
            await client.describe_regions()

    asyncio.run(main())
    assert len(server.requests) == 1


def test_one_limit_for_threads_and_tasks(scripted, client):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)

    async def main():
        async with ec2(server.url) as of_tasks:
            await of_tasks.describe_regions()

    asyncio.run(main())
    client("ec2", server.url).describe_regions()
    asyncio.run(main())
    assert released(registry) == {REGIONS: 3}


def test_a_session_of_its_own(scripted):
    server = scripted()
    session = AioSession()
    installed = apiqueue.boto.install(session, fast_registry())

    async def main():
        async with ec2(server.url, session) as paced, ec2(server.url) as other:
            await paced.describe_regions()
            await other.describe_regions()

    asyncio.run(main())
    assert released(installed.registry) == {REGIONS: 1}


def test_presigning_takes_no_turn():
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    registry.queue(f"s3/{REGION}/GetObject").hold_for(3600)

    async def main():
        async with get_session().create_client("s3") as s3:
            return await s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})

    assert "Signature" in asyncio.run(main())


def test_tasks_that_give_up_cost_nobody_a_turn(scripted):
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nevery = '1h'\nburst = 2\n"))
    apiqueue.boto.install(limits=registry)
    queue = registry.queue(REGIONS)

    async def main():
        async with ec2(server.url) as client:
            await client.describe_regions()
            queue.hold_for(3600)
            given_up = [asyncio.wait_for(client.describe_regions(), 0.05) for _ in range(20)]
            raised = await asyncio.gather(*given_up, return_exceptions=True)
            assert all(isinstance(it, asyncio.TimeoutError) for it in raised)
            queue.resume()
            await client.describe_regions()

    asyncio.run(main())
    assert len(server.requests) == 2, "the second of the hour's two turns was still there"
