"""Queues by key, and limits from files."""

from __future__ import annotations

import pytest

from apiqueue import ApiQueue, Closed, ConfigError, Limits, Registry

TEXT = """
[account.eu]
every = "1m"
burst = 2

[default]
per_second = 100

["ec2/*"]
within = "eu"

["sts/*"]
unlimited = true
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "limits.toml"
    path.write_text(TEXT)
    return path


def test_each_key_has_a_queue_and_the_same_one_always(path):
    registry = Registry(path)
    ec2 = registry.queue("s3/eu")
    assert isinstance(ec2, ApiQueue) and ec2.name == "s3/eu" and ec2.per_second == 100
    ec2.turn().wait()
    again = registry.queue("s3/eu")
    assert again.stats().released == 1
    assert registry.queue("sts/eu") is None
    assert len(registry) == 2
    assert registry.stats()["s3/eu"].released == 1


@pytest.mark.parametrize("given", [TEXT, Limits.from_toml(TEXT)], ids=["text", "limits"])
def test_limits_may_be_given_as(given):
    assert Registry(given).queue("s3").per_second == 100


def test_limits_may_be_a_path_as_text(path):
    assert Registry(str(path)).queue("s3").per_second == 100


def test_keys_share_their_accounts(path):
    registry = Registry(path)
    keys = ["ec2/a", "ec2/b", "ec2/a"]
    assert [registry.queue(key).try_turn() is not None for key in keys] == [True, True, False]


def test_what_aws_publishes():
    for registry in [Registry("aws"), Registry(Limits.aws())]:
        assert registry.queue("ec2/eu-west-1/DescribeSnapshots").per_second == pytest.approx(9)


def test_a_file_goes_over_others(path):
    limits = Limits.aws().overridden('["ec2/*/DescribeSnapshots"]\nper_second = 100')
    registry = Registry(limits)
    assert registry.queue("ec2/eu-west-1/DescribeSnapshots").per_second == 100
    assert registry.queue("ec2/eu-west-1/CreateTags").per_second == pytest.approx(9)
    assert Registry(Limits.aws().overridden(path)).queue("s3").per_second == 100


def test_a_file_that_cannot_be_is_told_with_its_path_and_line(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[default]\nper_second = 0\n")
    for ask in [Registry, Limits.from_toml, Limits.aws().overridden]:
        with pytest.raises(ConfigError) as why:
            ask(path)
        assert "bad.toml" in str(why.value) and "line 2" in str(why.value)
    with pytest.raises(ConfigError) as why:
        Registry(tmp_path / "none.toml")
    assert "none.toml" in str(why.value)
    with pytest.raises(TypeError):
        Registry(5)


def test_a_stop_is_for_all_keys_and_those_to_come(path):
    registry = Registry(path)
    queue = registry.queue("s3")
    queue.hold_for(60)
    waiter = queue.enqueue()
    assert registry.stop().abandoned == 1
    with pytest.raises(Closed):
        waiter.waiting
    with pytest.raises(Closed):
        registry.queue("other").turn().wait()
    assert registry.queue("sts/eu") is None


def test_a_key_whose_queue_was_stopped_has_a_new_one(path):
    registry = Registry(path)
    registry.queue("s3").stop()
    assert registry.queue("s3").turn(timeout=30).wait()


def test_a_subclass_may_have_a_constructor_of_its_own(path):
    class Mine(Registry):
        def __init__(self):
            super().__init__(path)

    assert Mine().queue("s3").per_second == 100

    class Forgets(Registry):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match="__init__"):
        Forgets().queue("s3")
