"""What the tests of the integrations share: servers, clients, counts."""

import json
import os
import subprocess
import sys
import threading
import urllib.request

import apiqueue

HERE = os.path.dirname(os.path.abspath(__file__))
REGION = "eu-west-1"
#: Nothing of the machine's own configuration is looked at, and nobody but loopback is asked.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "3",
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
}


#: EC2's rate for this operation, less a tenth, and little of its bucket at once: what is sent while the server is stalled by other
#: programs comes to it together, and then the bucket has room for 5 s of it.
STEADY = """
['ec2/*/DescribeRegions']
per_second = 20
burst = 10
leave_percent = 10
"""


class Ec2Server:
    """`endpoints/ec2.py` in a process of its own."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, os.path.join(HERE, "endpoints", "ec2.py"), *map(str, arguments)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    def _get(self, path: str):
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def counts(self) -> dict:
        return self._get("/counts")

    def reset(self) -> None:
        self._get("/reset")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def limits(text: str) -> apiqueue.Limits:
    return apiqueue.Limits.from_toml(text)


def fast_registry() -> apiqueue.Registry:
    """A queue for each key that releases at once."""
    return apiqueue.Registry(limits("[default]\nper_second = 1000\nburst = 1000\n"))


def released(registry: apiqueue.Registry) -> dict:
    """How many turns each key has had."""
    return {key: stats.released for key, stats in registry.stats().items()}


def in_threads(count: int, call) -> list:
    """Calls it in so many threads at once, and gives what they raised."""
    raised = []

    def run() -> None:
        try:
            call()
        except BaseException as why:
            raised.append(why)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "it hangs"
    return raised
