"""Which attempts of botocore take a turn, in which queue, and when."""

import copy
import datetime
import gc
import pickle
import threading
import time

import pytest
from boto_fixtures import *  # noqa: F403
from support import REGION, STEADY, fast_registry, in_threads, limits, released

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.stub import Stubber

import apiqueue
import apiqueue.boto

REGIONS = f"ec2/{REGION}/DescribeRegions"
XML = {"Content-Type": "text/xml"}
THROTTLED = (
    400,
    XML,
    b"<Response><Errors><Error><Code>Throttling</Code><Message>x</Message></Error></Errors></Response>",
)
BROKEN = (
    500,
    XML,
    b"<Response><Errors><Error><Code>InternalError</Code><Message>x</Message></Error></Errors></Response>",
)
NONE_THERE = (200, XML, b"<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>")


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_each_retry_takes_a_turn_of_its_own(mode, scripted, client):
    server = scripted(BROKEN, BROKEN, NONE_THERE)
    installed = apiqueue.boto.install(limits=fast_registry())
    client("ec2", server.url, retries={"mode": mode, "total_max_attempts": 3}).describe_regions()
    assert len(server.requests) == 3
    assert released(installed.registry) == {REGIONS: 3}


def test_an_attempt_without_an_answer_is_over_and_its_retry_takes_another_turn(scripted, client):
    server = scripted((None, {}, b""), NONE_THERE)
    registry = apiqueue.Registry(limits("[default]\nper_second = 1000\nat_once = 1\n"))
    apiqueue.boto.install(limits=registry)
    client("ec2", server.url).describe_regions()
    assert released(registry) == {REGIONS: 2}


def test_the_signature_is_made_after_the_turn(scripted, client):
    server = scripted(NONE_THERE)
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    registry.queue(REGIONS).hold_for(2.2)
    joined = datetime.datetime.now(datetime.timezone.utc)
    ec2.describe_regions()
    signed = datetime.datetime.strptime(server.requests[0]["headers"]["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    assert signed - joined > datetime.timedelta(seconds=1)


def test_nothing_is_signed_yet_when_a_turn_is_taken(scripted, client, monkeypatch):
    server = scripted()
    seen = []
    apiqueue.boto.install(limits=fast_registry())
    ec2 = client("ec2", server.url)
    # Registered later on the same level, and so called right behind it.
    ec2.meta.events.register(
        "request-created.*.*", lambda request, **_: seen.append("Authorization" in request.headers)
    )
    ec2.meta.events.register_last(
        "request-created", lambda request, **_: seen.append("Authorization" in request.headers)
    )
    ec2.describe_regions()
    assert seen == [False, True]


def test_a_throttling_code_holds_the_queue_and_no_other(scripted, client):
    server = scripted(THROTTLED, BROKEN)
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url, retries={"total_max_attempts": 1})
    with pytest.raises(ClientError, match="Throttling"):
        ec2.describe_regions()
    with pytest.raises(ClientError, match="InternalError"):
        ec2.describe_vpcs()
    began = time.monotonic()
    ec2.describe_vpcs()
    assert len(server.requests) == 3
    ec2.describe_regions()
    assert server.requests[3]["at"] - server.requests[0]["at"] >= 0.99, "for a second, where nothing is said"
    assert began < server.requests[3]["at"]


@pytest.mark.parametrize(
    ("status", "headers", "hold"),
    [(503, {"Retry-After": "2"}, 2), (429, {"Retry-After": "1"}, 1), (400, {"x-amz-retry-after": "1500"}, 1.5)],
)
def test_an_answer_says_for_how_long(status, headers, hold, scripted, client):
    server = scripted((status, {**XML, **headers}, THROTTLED[2]), NONE_THERE)
    apiqueue.boto.install(limits=fast_registry())
    ec2 = client("ec2", server.url, retries={"total_max_attempts": 1})
    with pytest.raises(ClientError):
        ec2.describe_regions()
    ec2.describe_regions()
    assert server.gaps()[0] >= hold - 0.01


def test_a_json_service_throttles_by_its_type(scripted, client):
    server = scripted(
        (400, {"Content-Type": "application/x-amz-json-1.1"}, b'{"__type":"com.amazon.coral#ThrottlingException"}')
    )
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    with pytest.raises(ClientError, match="ThrottlingException"):
        client("logs", server.url, retries={"total_max_attempts": 1}).describe_log_groups()
    queue = registry.queue(f"logs/{REGION}/DescribeLogGroups")
    assert queue.try_turn() is None, "it is held"


def test_keys_are_of_what_an_attempt_is_signed_for(scripted):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    session = boto3.Session()
    calls = [
        ("iam", "list_users", {}, "iam/us-east-1/ListUsers"),
        ("cloudwatch", "describe_alarms", {}, f"monitoring/{REGION}/DescribeAlarms"),
        ("elbv2", "describe_load_balancers", {}, f"elasticloadbalancing/{REGION}/DescribeLoadBalancers"),
        ("s3", "head_bucket", {"Bucket": "a-bucket"}, f"s3/{REGION}/HeadBucket"),
        ("route53", "list_hosted_zones", {}, "route53/us-east-1/ListHostedZones"),
        ("sts", "get_caller_identity", {}, f"sts/{REGION}/GetCallerIdentity"),
    ]
    # Not by endpoint_url, which the rules of some services would take for another partition: by the address of the sender.
    proxy = Config(proxies={"http": server.url}, retries={"total_max_attempts": 1})
    for service, operation, arguments, _ in calls:
        client = session.client(service, use_ssl=False, config=proxy)
        try:
            getattr(client, operation)(**arguments)
        except Exception:
            pass  # what the server answers is no answer of theirs
    assert set(released(registry)) == {key for *_, key in calls}
    assert len(server.requests) >= len(calls)


def test_sessions_are_paced_whenever_they_were_made_and_clients_made_after(scripted, client):
    server = scripted()
    before, default = boto3.Session(), boto3.client("ec2", endpoint_url=server.url)
    old = client("ec2", server.url, before)
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    old.describe_regions()
    default.describe_regions()
    assert released(registry) == {}, "clients that were there before are not paced"
    client("ec2", server.url, before).describe_regions()
    boto3.client("ec2", endpoint_url=server.url).describe_regions()
    client("ec2", server.url, boto3.Session()).describe_regions()
    botocore.session.Session(include_builtin_handlers=False).create_client(
        "ec2", endpoint_url=server.url
    ).describe_regions()
    in_threads(3, lambda: client("ec2", server.url, boto3.Session()).describe_regions())
    assert released(registry) == {REGIONS: 7}
    apiqueue.boto.install(old, registry)
    old.describe_regions()
    assert released(registry) == {REGIONS: 8}, "unless they are handed over"


def test_a_copied_session_is_paced_and_a_resource_too(scripted, client):
    server = scripted()
    session = botocore.session.Session()
    installed = apiqueue.boto.install(session, fast_registry())
    copied = copy.copy(session)
    copied.create_client("ec2", endpoint_url=server.url).describe_regions()
    assert released(installed.registry) == {REGIONS: 1}
    events = copy.deepcopy(session.get_component("event_emitter"))
    assert events is not session.get_component("event_emitter")
    resource = boto3.Session().resource("ec2", endpoint_url=server.url)
    of_resource = apiqueue.boto.install(resource, fast_registry())
    resource.meta.client.describe_regions()
    assert released(of_resource.registry) == {REGIONS: 1}


def test_a_session_s_limits_go_before_those_of_the_process(scripted, client):
    server = scripted()
    everywhere = apiqueue.boto.install(limits=fast_registry())
    mine = boto3.Session()
    own = apiqueue.boto.install(mine, fast_registry())
    ours, theirs = client("ec2", server.url, mine), client("ec2", server.url)
    ours.describe_regions()
    theirs.describe_regions()
    assert (released(own.registry), released(everywhere.registry)) == ({REGIONS: 1}, {REGIONS: 1})
    own.uninstall()
    own.uninstall()
    ours.describe_regions()
    assert (released(own.registry), released(everywhere.registry)) == ({REGIONS: 1}, {REGIONS: 2})


def test_the_last_installation_counts_for_clients_that_are_paced_already(scripted, client):
    server = scripted()
    first = apiqueue.boto.install(limits=fast_registry())
    ec2 = client("ec2", server.url)
    second = apiqueue.boto.install(limits=fast_registry())
    ec2.describe_regions()
    first.uninstall()
    ec2.describe_regions()
    assert (released(first.registry), released(second.registry)) == ({}, {REGIONS: 2})


def test_the_same_registry_installed_twice_stays_until_the_second_ends(scripted, client):
    server = scripted()
    registry = fast_registry()
    for session in (None, boto3.Session()):
        first, second = apiqueue.boto.install(session, registry), apiqueue.boto.install(session, registry)
        first.uninstall()
        ec2 = client("ec2", server.url, session)
        before = sum(released(registry).values())
        ec2.describe_regions()
        assert sum(released(registry).values()) == before + 1
        second.uninstall()
        ec2.describe_regions()
        assert sum(released(registry).values()) == before + 1


def test_a_session_that_is_gone_leaves_nothing():
    gc.collect()
    before = len(apiqueue.boto._paced)
    session = boto3.Session()
    installed = apiqueue.boto.install(session, fast_registry())
    assert len(apiqueue.boto._paced) == before + 1
    del session
    gc.collect()
    assert len(apiqueue.boto._paced) <= before
    installed.uninstall()


def test_after_uninstall_nothing_is_left(scripted, client):
    from botocore.client import BaseClient

    server = scripted()
    original = BaseClient.__init__
    with apiqueue.boto.install(limits=fast_registry()) as installed:
        ec2 = client("ec2", server.url)
        assert BaseClient.__init__ is not original
    assert BaseClient.__init__ is original
    ec2.describe_regions()
    client("ec2", server.url).describe_regions()
    assert released(installed.registry) == {}
    apiqueue.boto.uninstall()


def test_what_is_presigned_or_stubbed_takes_no_turn(client):
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    s3, ec2 = boto3.client("s3"), boto3.client("ec2")
    for key in (f"s3/{REGION}/GetObject", REGIONS):
        registry.queue(key).hold_for(3600)
    assert "Signature" in s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    assert s3.generate_presigned_post("b", "k")["fields"]
    with Stubber(ec2) as stubber:
        stubber.add_response("describe_regions", {"Regions": []})
        assert ec2.describe_regions()["Regions"] == []


def test_an_answer_made_before_sending_takes_a_turn(client):
    import botocore.awsrequest

    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = boto3.client("ec2")

    class Raw:
        def stream(self, *_, **__):
            yield NONE_THERE[2]

        def read(self, *_):
            return NONE_THERE[2]

    answer = botocore.awsrequest.AWSResponse("http://localhost", 200, {}, Raw())
    ec2.meta.events.register("before-send.*.*", lambda **_: answer)
    assert ec2.describe_regions()["Regions"] == []
    assert released(registry) == {REGIONS: 1}


def test_an_attempt_that_can_t_be_signed_gives_its_turn_back(monkeypatch, scripted):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nevery = '1h'\n"))
    apiqueue.boto.install(limits=registry)
    ec2 = boto3.client("ec2", endpoint_url=server.url)
    for _ in range(3):
        with pytest.raises(NoCredentialsError):
            ec2.describe_regions()
    assert server.requests == []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    boto3.Session().client("ec2", endpoint_url=server.url).describe_regions()
    assert len(server.requests) == 1, "the hour's only turn was still there"


def test_a_stopped_queue_is_an_error_that_is_not_retried(scripted, client):
    server = scripted()
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    registry.stop()
    with pytest.raises(apiqueue.Closed):
        ec2.describe_regions()
    assert server.requests == []


def test_an_unlimited_operation_is_sent_at_once(scripted, client):
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nunlimited = true\n['ec2/*/DescribeVpcs']\nper_second = 1000\n"))
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    ec2.describe_regions()
    ec2.describe_vpcs()
    assert released(registry) == {f"ec2/{REGION}/DescribeVpcs": 1}


def test_a_stream_is_under_way_until_its_head_has_come(scripted, client):
    server = scripted((200, {}, b"one"), (200, {}, b"two"))
    registry = apiqueue.Registry(limits("[default]\nper_second = 1000\nat_once = 1\n"))
    apiqueue.boto.install(limits=registry)
    s3 = client("s3", server.url, s3={"addressing_style": "path"})
    first = s3.get_object(Bucket="b", Key="1")["Body"]
    second = s3.get_object(Bucket="b", Key="2")["Body"]
    assert (second.read(), first.read()) == (b"two", b"one")
    assert released(registry) == {f"s3/{REGION}/GetObject": 2}


def test_each_page_and_each_poll_takes_a_turn(moto, client):
    registry = fast_registry()
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", moto.url)
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    for _ in range(7):
        ec2.create_snapshot(VolumeId=volume)
    pages = list(ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5}))
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    had = released(registry)
    assert had[f"ec2/{REGION}/DescribeSnapshots"] == len(pages) == moto.counts()["DescribeSnapshots"]["taken"]
    assert had[f"ec2/{REGION}/DescribeVolumes"] == 1


def test_what_can_t_be_installed_is_said(tmp_path):
    with pytest.raises(TypeError, match="session=3: may be a session or a client"):
        apiqueue.boto.install(3)
    with pytest.raises(apiqueue.ConfigError, match="'gcp' is no file"):
        apiqueue.boto.install(limits="gcp")
    with pytest.raises(apiqueue.ConfigError, match="limits=7: may be 'aws'"):
        apiqueue.boto.install(limits=7)
    with pytest.raises(apiqueue.ConfigError, match=r"limits=\[\]"):
        apiqueue.boto.install(limits=[])
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[default]\nper_second = -1\n")
    with pytest.raises(apiqueue.ConfigError, match="per_second"):
        apiqueue.boto.install(limits=wrong)
    from botocore.client import BaseClient

    assert not hasattr(BaseClient.__init__, "_apiqueue_original"), "and then nothing is installed"


def test_a_file_goes_over_the_published_limits(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("['ec2/*/DescribeRegions']\nper_second = 100\n")
    installed = apiqueue.boto.install(limits=["aws", mine])
    assert installed.registry.queue(f"ec2/{REGION}/CreateTags") is not None
    assert installed.registry.queue(f"s3/{REGION}/GetObject") is None


def test_pickled_things_are_refused_clearly():
    installed = apiqueue.boto.install(limits=fast_registry())
    with pytest.raises(TypeError):
        pickle.dumps(installed)


def test_the_plugin_variable_paces_a_client_and_says_what_is_wrong(monkeypatch, scripted, tmp_path):
    plugin = pytest.importorskip("botocore.plugin", reason="this botocore has no plugins")
    assert plugin
    server = scripted()
    mine = tmp_path / "mine.toml"
    mine.write_text("[default]\nper_second = 1000\n")
    monkeypatch.setenv("BOTOCORE_EXPERIMENTAL__PLUGINS", "apiqueue=apiqueue.boto")
    monkeypatch.setenv("APIQUEUE_LIMITS", str(tmp_path / "none.toml"))
    with pytest.warns(RuntimeWarning, match="not paced.*none.toml"):
        boto3.client("ec2", endpoint_url=server.url)
    monkeypatch.setenv("APIQUEUE_LIMITS", str(mine))
    boto3.client("ec2", endpoint_url=server.url).describe_regions()
    assert released(apiqueue.boto._everywhere.registry) == {REGIONS: 1}


def test_thirty_threads_are_never_throttled_by_ec2_s_buckets(moto, client):
    apiqueue.boto.install(limits=["aws", STEADY])
    ec2 = client("ec2", moto.url)
    attempts = []

    def call():
        for _ in range(4):
            attempts.append(ec2.describe_regions()["ResponseMetadata"]["RetryAttempts"])

    assert in_threads(30, call) == []
    assert moto.counts()["DescribeRegions"] == {"taken": 120, "throttled": 0}
    assert attempts == [0] * 120


def test_releases_are_in_order_of_joining(scripted, client):
    server = scripted()
    registry = apiqueue.Registry(limits("[default]\nper_second = 50\n"))
    apiqueue.boto.install(limits=registry)
    ec2 = client("ec2", server.url)
    queue = registry.queue(REGIONS)
    queue.hold_for(3600)
    threads = []
    for number in range(10):
        thread = threading.Thread(target=ec2.describe_regions, kwargs={"RegionNames": [f"r{number}"]})
        thread.start()
        threads.append(thread)
        while len(queue) <= number:
            time.sleep(0.005)
    queue.resume()
    for thread in threads:
        thread.join(60)
    came = [
        next(part for part in it["body"].decode().split("&") if part.startswith("RegionName.1"))
        for it in server.requests
    ]
    assert came == [f"RegionName.1=r{number}" for number in range(10)]
