"""The table of the README: mean ÷ ideal, CPU and order, against the peers.

    python benches/peers.py            # all of it, about 4 minutes
    python benches/peers.py --quick    # a tenth of the calls: a look, no table to be shown

Needs: pip install aiolimiter pyrate-limiter requests-ratelimiter boto3 werkzeug. The original is measured where its source is given by
`--original DIR`, the unpacked apiqueue-0.1.1 from PyPI.

Each row is a process of its own, so that no contestant pays for another's threads. Order: callers take numbers under a lock as they join;
an inversion is a neighbouring pair that was released the other way round.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

#: name, callers, interval in ms, calls in all
SHAPES = [
    ("1 thread", "thread", 1, 10, 200),
    ("1 thread", "thread", 1, 1, 1000),
    ("16 threads", "thread", 16, 10, 320),
    ("16 threads", "thread", 16, 1, 2000),
    ("200 threads", "thread", 200, 10, 400),
    ("200 threads", "thread", 200, 1, 2000),
    ("1,000 tasks", "task", 1000, 10, 1000),
    ("1,000 tasks", "task", 1000, 1, 2000),
]
THREADS = ["this", "original", "pyrate-limiter", "requests-ratelimiter"]
TASKS = ["this", "original", "aiolimiter", "pyrate-limiter"]
MODES = ["none", "legacy", "standard", "adaptive", "this"]


def run(script, *arguments):
    command = [sys.executable, os.path.join(HERE, script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return json.loads(done.stdout)


def pacing(original, quick):
    print("| callers | interval | | mean ÷ ideal | CPU, ms a 1,000 calls | inversions | shortest gap, ms |")
    print("|---|---|---|---|---|---|---|")
    for title, kind, callers, interval, calls in SHAPES:
        calls = max(callers * 2, calls // 10) if quick else calls
        for name in THREADS if kind == "thread" else TASKS:
            if name == "original" and not original:
                continue
            got = run("contestant.py", name, kind, callers, interval, calls, original or "-")
            if "error" in got:
                print(f"| {title} | {interval} ms | {name} | {got['error']} | | | |", flush=True)
                continue
            columns = (
                f"{got['mean']:.3f} | {got['cpu_ms']:,.0f} | {got['inversions'] * 100:.1f} % | {got['shortest_ms']:.2f}"
            )
            print(f"| {title} | {interval} ms | {name} | {columns} |", flush=True)


def botocore_modes(quick):
    print(
        "\n30 threads × 10 calls of DescribeRegions, EC2's bucket (100, refilled at 20 a second) on loopback in front:\n"
    )
    print("| | time, s | sent | throttled | failed | CPU, s |")
    print("|---|---|---|---|---|---|")
    for mode in MODES:
        got = run("botocore_modes.py", mode, 4 if quick else 10)
        if "error" in got:
            print(f"| {mode} | {got['error']} | | | | |", flush=True)
            continue
        name = "this, `standard` above it" if mode == "this" else f"retries: {mode}"
        print(
            f"| {name} | {got['time']:.1f} | {got['sent']} | {got['throttled']} | {got['failed']} | {got['cpu']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--original", metavar="DIR")
    parser.add_argument("--quick", action="store_true")
    said = parser.parse_args()
    pacing(said.original, said.quick)
    botocore_modes(said.quick)
