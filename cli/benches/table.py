#!/usr/bin/env python3
"""The figures of cli/README.md: `cargo build --release && benches/table.py`.

Needs GNU parallel, xargs and bash. Its limits are in a directory of its own.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
APIQUEUE = os.environ.get("APIQUEUE", os.path.join(HERE, "../target/release/apiqueue"))
FOLDER = tempfile.TemporaryDirectory()
os.environ["APIQUEUE_DIR"] = os.path.join(FOLDER.name, "limits")


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command, text=""):
    cpu, began = children_cpu(), time.monotonic()
    subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began, children_cpu() - cpu


def start_up(count=300):
    """A program by itself and after its turn, alternately."""
    limit = ["exec", "--share", "start", "--rate", "1000000/s", "--", "/bin/true"]
    bare, paced = [], []
    for _ in range(count):
        bare.append(timed(["/bin/true"])[0])
        paced.append(timed([APIQUEUE, *limit])[0])
    ms = [1e3 * statistics.median(times) for times in (bare, paced)]
    slow = 1e3 * sorted(paced)[int(0.99 * count)]
    print(f"exec: /bin/true alone {ms[0]:.2f} ms, after its turn {ms[1]:.2f} ms (p99 {slow:.2f}): {ms[1] - ms[0]:.2f} ms more")


def twice(starts, interval):
    """How many slots were used twice, and how late the latest start was. All slots are on one grid, as somebody always waits, and a start is
    a little after its slot: where no start falls within an interval is just before the slots."""
    rests = sorted((start - starts[0]) % interval for start in starts)
    after = [*rests[1:], rests[0] + interval]
    _, grid = max((b - a, b % interval) for a, b in zip(rests, after))
    slots = [int((start - starts[0] - grid) // interval) for start in starts]
    latest = max((start - starts[0] - grid) % interval for start in starts)
    return len(slots) - len(set(slots)), latest


def fleet(processes=16, rate=50, seconds=10, kills=4):
    """Processes that come again and again; some are killed wherever they are."""
    log = os.path.join(FOLDER.name, "log")
    open(log, "w").close()
    stamp = ["bash", "-c", f'printf "%s\\n" $EPOCHREALTIME >> {log}']
    command = [APIQUEUE, "exec", "--share", "fleet", "--rate", f"{rate}/s", "--", *stamp]
    until = time.monotonic() + seconds
    running = {}

    def loop(number):
        while time.monotonic() < until:
            child = subprocess.Popen(command)
            running[number] = child
            child.wait()

    threads = [threading.Thread(target=loop, args=[number]) for number in range(processes)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(seconds / (kills + 1))
        running[random.randrange(processes)].kill()
    for thread in threads:
        thread.join()
    starts = sorted(float(line) for line in open(log))
    end = starts[0] + seconds
    within = [start for start in starts if start < end]
    doubles, latest = twice(within, 1 / rate)
    # A start that is late by an interval can't be told from a slot that is used twice.
    told = "the machine was too busy to tell which slot each start had" if latest > 0.9 / rate else f"{doubles} twice"
    print(
        f"exec: {processes} processes at {rate}/s for {seconds} s, {kills} killed: {len(within)} of {rate * seconds} slots used"
        f" ({len(within) / rate / seconds:.3f}), {told}, each within {1e3 * latest:.1f} ms"
    )


def table(rate=200, count=2000):
    ideal = (count - 1) / rate
    lines = "".join(f"{number}\n" for number in range(count))
    pause = 1 / rate
    rows = [
        ("apiqueue run", [APIQUEUE, "run", "-q", "--rate", f"{rate}/s", "--", "true"]),
        ("apiqueue run -j 1", [APIQUEUE, "run", "-q", "-j", "1", "--rate", f"{rate}/s", "--", "true"]),
        ("apiqueue run --share", [APIQUEUE, "run", "-q", "--share", "run", "--rate", f"{rate}/s", "--", "true"]),
        ("parallel --delay", ["parallel", "-j", "64", "--delay", str(pause), "true"]),
        ("xargs and sleep", ["xargs", "-n", "1", "sh", "-c", f"sleep {pause}; true"]),
        ("xargs -P 8 and sleep", ["xargs", "-n", "1", "-P", "8", "sh", "-c", f"sleep {8 * pause}; true"]),
    ]
    print(f"{count} times `true` at {rate}/s, ideal {ideal:.3f} s")
    print("| | elapsed ÷ ideal | CPU s |\n|---|---|---|")
    for name, command in rows:
        runs = [timed(command, lines) for _ in range(3)]
        elapsed = [one / ideal for one, _ in runs]
        cpu = statistics.median(used for _, used in runs)
        spread = f"{min(elapsed):.3f} to {max(elapsed):.3f}" if max(elapsed) - min(elapsed) > 0.0005 else f"{elapsed[0]:.3f}"
        print(f"| `{name}` | {spread} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["start_up", "fleet", "table"]
    for name in wanted:
        {"start_up": start_up, "fleet": fleet, "table": table}[name]()
