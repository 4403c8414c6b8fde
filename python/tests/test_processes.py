"""Processes: forked, spawned, pools of them, and limits that they share."""

from __future__ import annotations

import os
import time

import pytest

from apiqueue import ApiQueue, ConfigError, Registry
from running import end, run, start

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
FILES = pytest.mark.skipif(os.name != "posix", reason="limits in files are for POSIX")

#: Runs `child` in a forked process, and fails if that fails or hangs.
FORK = """
import os, sys, threading, time, traceback, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import apiqueue

def in_child(child):
    pid = os.fork()
    if pid == 0:
        try:
            child()
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    until = time.monotonic() + 50
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, status
            return
        time.sleep(0.002)
    os.kill(pid, 9)
    raise SystemExit("the child hangs")
"""


def forked(program: str) -> str:
    import textwrap

    return run(FORK + textwrap.dedent(program))


@FORKS
def test_a_waiter_of_the_parent_is_closed_in_a_child():
    program = """
    queue = apiqueue.ApiQueue(every=1000)
    queue.turn().wait()
    waiter = queue.enqueue()

    def child():
        for ask in [lambda: waiter.waiting, waiter.wait, lambda: waiter.wait(0)]:
            try:
                ask()
            except apiqueue.Closed:
                continue
            raise SystemExit("not closed")
        waiter.cancel()

    in_child(child)
    assert waiter.waiting and len(queue) == 1
    """
    forked(program)


@FORKS
def test_a_queue_starts_anew_in_a_child():
    program = """
    queue = apiqueue.ApiQueue(every=0.01, name="ec2")
    waiters = [queue.enqueue() for _ in range(5)]
    queue.start()
    turn = queue.turn().wait()
    queue.set_rate(every=0.002)

    def child():
        assert len(queue) == 0
        assert queue.stats().released == 0
        assert queue.rate_millis == 2
        for _ in range(5):
            queue.turn(timeout=30).wait()
        turn.ok()
        assert queue.enqueue().wait(30)
        # A grandchild does the same.
        in_child(lambda: queue.turn(timeout=30).wait())

    in_child(child)
    assert queue.turn(timeout=30).wait()
    """
    forked(program)


@FORKS
def test_a_queue_that_was_not_started_or_was_stopped_is_so_in_a_child():
    program = """
    held, stopped = apiqueue.ApiQueue(1), apiqueue.ApiQueue(1)
    held.enqueue()
    stopped.start()
    stopped.stop()

    def child():
        waiter = held.enqueue()
        time.sleep(0.05)
        assert waiter.waiting
        held.start()
        waiter.wait(30)
        try:
            stopped.enqueue()
        except apiqueue.Closed:
            stopped.start()
            stopped.turn(timeout=30).wait()
            return
        raise SystemExit("not stopped")

    in_child(child)
    """
    forked(program)


@FORKS
def test_forks_while_threads_wait_and_are_released():
    program = """
    queue = apiqueue.ApiQueue(every=0.0002)
    account = apiqueue.Account(per_second=100000, burst=100)
    inside = apiqueue.ApiQueue(every=0.0002, within=account)
    registry = apiqueue.Registry("[default]\\nper_second = 10000\\n")
    done = False

    def loop(one):
        while not done:
            with one.turn():
                pass

    threads = [threading.Thread(target=loop, args=(one,)) for one in [queue, queue, inside, registry.queue("a")] for _ in range(3)]
    for thread in threads:
        thread.start()

    def child():
        for one in [queue, inside, registry.queue("a"), registry.queue("b")]:
            for _ in range(3):
                one.turn(timeout=30).wait()

    for _ in range(40):
        in_child(child)
    done = True
    for thread in threads:
        thread.join()
    """
    forked(program)


@FORKS
def test_a_child_that_ends_in_the_usual_way_ends():
    program = """
    queue = apiqueue.ApiQueue(every=1000)
    queue.turn().wait()
    threads = [threading.Thread(target=queue.turn().wait, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            queue.turn(timeout=30).wait()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    forked(program)


@FORKS
def test_a_loop_in_a_child():
    program = """
    import asyncio
    queue = apiqueue.ApiQueue(every=0.001)

    async def some():
        await asyncio.gather(*(one() for _ in range(20)))

    async def one():
        await queue.turn()

    asyncio.run(some())
    in_child(lambda: asyncio.run(asyncio.wait_for(some(), 30)))
    asyncio.run(some())
    """
    forked(program)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path, method):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method}")
    program = tmp_path / "program.py"
    program.write_text("""
import multiprocessing, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import apiqueue

queue = apiqueue.ApiQueue(every=0.001)

def work(number):
    with queue.turn(timeout=30):
        return number

if __name__ == "__main__":
    queue.turn().wait()
    with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
        assert pool.map(work, range(30)) == list(range(30))
    print("done")
""")
    import subprocess
    import sys

    done = subprocess.run([sys.executable, str(program), method], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@FILES
def test_processes_that_say_the_same_name_share_a_rate(tmp_path):
    # Four workers at 20 ms: alone each would take 19 intervals for 20 turns, together they take 79.
    program = """
    import apiqueue
    queue = apiqueue.ApiQueue(every=0.02, share="calls")
    for _ in range(20):
        queue.turn().wait()
    """
    begin = time.monotonic()
    for process in [start(program, APIQUEUE_DIR=str(tmp_path / "apiqueue")) for _ in range(4)]:
        end(process)
    assert time.monotonic() - begin >= 79 * 0.02 * 0.95
    assert (tmp_path / "apiqueue" / "calls.limit").exists()


@FILES
@FORKS
def test_forked_workers_share_a_rate_by_the_queue_of_their_parent(tmp_path):
    # As gunicorn has it with `preload_app`: the queue is made once, before the workers are forked.
    program = """
    queue = apiqueue.ApiQueue(every=0.02, share=DIRECTORY + "/calls")
    queue.turn().wait()
    begin = time.monotonic()
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(20):
                queue.turn().wait()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    print(time.monotonic() - begin)
    """.replace("DIRECTORY", repr(str(tmp_path)))
    assert float(forked(program)) >= 79 * 0.02 * 0.95


@FILES
def test_a_path_and_a_name_are_the_same_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("APIQUEUE_DIR", str(tmp_path / "apiqueue"))
    one = ApiQueue(every=60, share="calls")
    other = ApiQueue(every=60, share=str(tmp_path / "apiqueue" / "calls"))
    one.start(), other.start()
    # Nothing is known of the limit: it begins after its grace, of which an interval is counted for half a second at most.
    assert one.turn(timeout=200).wait()
    waiter = other.enqueue()
    time.sleep(0.3)
    assert waiter.waiting


@FILES
def test_keys_of_registries_share_their_rates(tmp_path):
    share = str(tmp_path / "all")
    text = "[default]\nevery = '1m'\n"
    one, other = Registry(text, share=share), Registry(text, share=share)
    # On a busy machine an answer may come too late, and then its slot is lost: the next is a minute later.
    assert one.queue("ec2").turn(timeout=200).wait()
    begin = time.monotonic()
    waiter = other.queue("ec2").enqueue()
    assert other.queue("s3").turn(timeout=200).wait()
    assert waiter.waiting or time.monotonic() - begin > 50


@FILES
def test_a_key_that_cannot_be_shared_is_told_and_limited_here(tmp_path):
    text = "[account.a]\nevery = '1m'\n[default]\nwithin = 'a'\n"
    registry = Registry(text, share=str(tmp_path / "all"))
    with pytest.warns(RuntimeWarning, match="ec2"):
        queue = registry.queue("ec2")
    assert queue.try_turn() is not None
    assert registry.queue("ec2").try_turn() is None


@FILES
def test_a_directory_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as why:
        ApiQueue(every=1, share=str(tmp_path / "file" / "calls"))
    assert "file" in str(why.value)
