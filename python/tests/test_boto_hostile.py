"""What a hostile program does to paced clients of botocore."""

import os
import threading

import pytest
from boto_fixtures import *  # noqa: F403
from support import REGION, fast_registry, in_threads, limits, released

import boto3
from botocore.config import Config

import apiqueue
import apiqueue.boto

REGIONS = f"ec2/{REGION}/DescribeRegions"
XML = {"Content-Type": "text/xml"}


def test_more_threads_than_a_line_has_places_wait_for_room(scripted, client):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    queue = registry.queue(REGIONS)
    queue.hold_for(3600)
    resume = threading.Timer(2, queue.resume)
    resume.start()
    assert in_threads(300, ec2.describe_regions) == []
    assert len(server.requests) == 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_s_calls_are_paced_anew(scripted, client):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    ec2.describe_regions()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            ec2.describe_regions()
            status = 0 if released(registry) == {REGIONS: 1} else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert released(registry) == {REGIONS: 1}
    assert len(server.requests) == 2


def test_what_another_s_handler_raises_comes_through_and_ends_the_turn(scripted, client):
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nper_second = 1000\nat_once = 1\n"))
    apiqueue.boto.install(limits=registry)

    def raises(**_):
        raise LookupError("theirs")

    for event in (
        "request-created.ec2.DescribeRegions",
        "before-send.ec2.DescribeRegions",
        "response-received.ec2.DescribeRegions",
    ):
        ec2 = client("ec2", server.url, retries={"total_max_attempts": 1})
        ec2.meta.events.register(event, raises)
        with pytest.raises(LookupError, match="theirs"):
            ec2.describe_regions()
    client("ec2", server.url).describe_regions()
    assert registry.stats()[REGIONS].under_way == 0


def test_an_answer_that_can_t_be_parsed_ends_the_turn(scripted, client):
    server = scripted((200, XML, b"<half"), (200, XML, b"<half"))
    registry = apiqueue.Registry(limits("[default]\nper_second = 1000\nat_once = 1\n"))
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    for _ in range(2):
        with pytest.raises(Exception, match="Unable to parse"):
            ec2.describe_regions()
    ec2.describe_regions()
    assert registry.stats()[REGIONS].under_way == 0


def test_installed_and_ended_in_many_threads_nothing_breaks(scripted, client):
    server = scripted()
    registry = fast_registry()

    def churn():
        for _ in range(5):
            with apiqueue.boto.install(limits=registry):
                client("ec2", server.url, boto3.Session()).describe_regions()

    assert in_threads(6, churn) == []
    assert len(server.requests) == 30
    from botocore.client import BaseClient

    apiqueue.boto.uninstall()
    assert not hasattr(BaseClient.__init__, "_apiqueue_original")


def test_a_redirect_to_another_region_is_paced_as_that_region(scripted, client):
    server = scripted(
        (
            301,
            {**XML, "x-amz-bucket-region": "us-west-2"},
            b"<Error><Code>PermanentRedirect</Code><Bucket>b</Bucket></Error>",
        ),
        (200, {}, b"there"),
    )
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    s3 = boto3.client(
        "s3", config=Config(proxies={"http": server.url}, s3={"addressing_style": "virtual"}), use_ssl=False
    )
    assert s3.get_object(Bucket="b-of-mine", Key="k")["Body"].read() == b"there"
    had = released(registry)
    assert had == {f"s3/{REGION}/GetObject": 1, "s3/us-west-2/GetObject": 1}
