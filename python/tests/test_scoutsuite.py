"""ScoutSuite, unmodified, by the launcher.

It runs where `scout` is installed beside this interpreter or on the path, or where `APIQUEUE_SCOUT` says which it is: its dependencies
allow no newer Python than 3.11, and it may be in an environment of its own, without this package.

By itself it makes no more than some 16 calls a second on a small machine, too few for EC2's buckets, so that these are a quarter here.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from support import AWS_ENVIRONMENT, Ec2Server

pytest.importorskip("moto.server", reason="moto[ec2,server] is not installed")

SNAPSHOTS, PART = 80, 0.25
LIMITS = """
["ec2/*/*"]
per_second = 5
burst = 25
leave_percent = 10
"""


def scout():
    beside = os.path.join(os.path.dirname(sys.executable), "scout")
    said = os.environ.get("APIQUEUE_SCOUT") or (beside if os.path.exists(beside) else shutil.which("scout"))
    if not said:
        pytest.skip("ScoutSuite is not installed: pip install ScoutSuite==5.14.0, with Python 3.11 or older")
    return said


@pytest.fixture
def server():
    server = Ec2Server("moto", SNAPSHOTS, PART)
    yield server
    server.close()


def audit(server, directory, *before):
    """How many snapshots the report has whole."""
    arguments = [
        "aws",
        "--services",
        "ec2",
        "--regions",
        "eu-west-1",
        "--no-browser",
        "--force",
        "--report-dir",
        str(directory),
    ]
    environment = {**os.environ, **AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}
    del environment["AWS_MAX_ATTEMPTS"]
    done = subprocess.run([*before, scout(), *arguments], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 200), done.stdout[-2000:] + done.stderr[-2000:]
    (results,) = (directory / "scoutsuite-results").glob("scoutsuite_results_*.js")
    found = json.loads(re.sub(r"^[^{]*", "", results.read_text(), count=1))
    snapshots = found["services"]["ec2"]["regions"]["eu-west-1"]["snapshots"].values()
    return sum("create_volume_permissions" in it or "CreateVolumePermissions" in it for it in snapshots), done


def throttled(server):
    return sum(it["throttled"] for it in server.counts().values())


def test_it_is_never_throttled_and_reports_every_snapshot(server, tmp_path):
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS)
    launcher = [sys.executable, "-m", "apiqueue", "--limits", "aws", "--limits", str(limits), "--report", "--"]
    whole, done = audit(server, tmp_path, *launcher)
    assert "ec2/eu-west-1/DescribeSnapshotAttribute" in done.stderr, done.stderr[-2000:]
    assert (throttled(server), whole) == (0, SNAPSHOTS)
    assert server.counts()["DescribeSnapshotAttribute"]["taken"] == SNAPSHOTS, "three times what the bucket holds"
