"""One row: `botocore_modes.py none|legacy|standard|adaptive|this CALLS_A_THREAD` prints it as JSON."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

MODE, CALLS = sys.argv[1], int(sys.argv[2])
SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "endpoints", "ec2.py")
THREADS = 30


def main():
    server = subprocess.Popen([sys.executable, SERVER, "plain"], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        retries = {"total_max_attempts": 1} if MODE == "none" else {"mode": "standard" if MODE == "this" else MODE}
        if MODE == "this":
            import apiqueue.boto

            apiqueue.boto.install()
        client = boto3.client(
            "ec2",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries=retries, max_pool_connections=THREADS),
        )
        failed = []

        def call():
            for _ in range(CALLS):
                try:
                    client.describe_regions()
                except Exception as why:
                    failed.append(why)

        crowd = [threading.Thread(target=call) for _ in range(THREADS)]
        began, cpu = time.monotonic(), time.process_time()
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        counts = json.load(urllib.request.urlopen(url + "/counts"))["DescribeRegions"]
        sent = counts["taken"] + counts["throttled"]
        print(
            json.dumps(
                {"time": took, "sent": sent, "throttled": counts["throttled"], "failed": len(failed), "cpu": cpu}
            )
        )
    finally:
        server.kill()
        server.wait()


main()
