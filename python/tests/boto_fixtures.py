"""Fixtures of the tests of botocore; a test file that wants them says `from boto_fixtures import *`."""

import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from support import AWS_ENVIRONMENT, Ec2Server  # noqa: E402

import apiqueue.boto  # noqa: E402

__all__ = ["_moto", "aws", "client", "moto"]


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    """The environment; and what a test has installed goes with it."""
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield
    apiqueue.boto.uninstall()


@pytest.fixture(scope="module")
def _moto():
    pytest.importorskip("moto.server", reason="moto[ec2,server] is not installed")
    server = Ec2Server("moto")
    yield server
    server.close()


@pytest.fixture
def moto(_moto):
    """EC2's buckets in front of moto."""
    _moto.reset()
    return _moto


@pytest.fixture
def client():
    """Makes clients of an endpoint."""

    def make(service, url, session=None, **config):
        config.setdefault("max_pool_connections", 64)
        return (session or boto3).client(service, endpoint_url=url, config=Config(**config))

    return make
