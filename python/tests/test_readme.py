"""Every code block of the README runs."""

import os
import re
import stat
import subprocess
import sys

import pytest
from boto_fixtures import *  # noqa: F403

import apiqueue

README = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "README.md")
with open(README, encoding="utf-8") as _file:
    BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", _file.read(), re.MULTILINE | re.DOTALL)
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(apiqueue.__file__)))
TOML = [text for kind, text in BLOCKS if kind == "toml"]


def of(kind):
    return [
        pytest.param(text, id=f"{number}-{text.split()[1]}") for number, (it, text) in enumerate(BLOCKS) if it == kind
    ]


@pytest.fixture
def here(moto, scripted, tmp_path, monkeypatch):
    """A directory with the README's file of limits, the README's hosts on loopback, and a `scout` that calls EC2."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    # What is shared by a name is shared in there, and not with this user's programs.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("APIQUEUE_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    (tmp_path / "mine.toml").write_text(TOML[0])
    commands = tmp_path / "bin"
    commands.mkdir()
    command(
        commands / "scout",
        f"#!{sys.executable}\nimport boto3\nprint(boto3.client('ec2').describe_regions()['Regions'][0])\n",
    )
    command(commands / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    server = scripted()
    return tmp_path, lambda text: text.replace("https://api.example.com", server.url)


def command(file, text):
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_there_are_blocks_of_each_kind():
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "toml"}


@pytest.mark.parametrize("block", of("python"))
def test_it_runs(block, here):
    directory, on_loopback = here
    done = subprocess.run(
        [sys.executable, "-c", on_loopback(block)], cwd=directory, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize("block", of("sh"))
def test_the_shell_runs_it(block, here):
    directory, _ = here
    done = subprocess.run(["sh", "-e"], input=block, cwd=directory, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("RegionName") == len(re.findall(r"scout aws$", block, re.MULTILINE))
    if "--report" in block:
        assert "DescribeRegions: 1 released" in done.stderr


@pytest.mark.parametrize("block", of("toml"))
def test_it_is_a_file_of_limits(block, tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text(block)
    apiqueue.Registry(apiqueue.Limits.aws().overridden(file)).stop()
