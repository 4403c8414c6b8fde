"""How programs end: with threads that wait, by Ctrl-C, with subinterpreters."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from running import end, run, start

#: Programs that end while daemon threads wait, are about to be released, or are on their way back into the interpreter.
ENDINGS = {
    "who wait for long": """
        queue = apiqueue.ApiQueue(every=1000)
        queue.turn().wait()
        for _ in range(20):
            go(queue.turn().wait)
        time.sleep(0.05)
        """,
    "who are released all the time": """
        queue = apiqueue.ApiQueue(every=0.0001)
        def loop():
            while True:
                with queue.turn():
                    pass
        for _ in range(20):
            go(loop)
        time.sleep(0.05)
        """,
    "who time out all the time": """
        queue = apiqueue.ApiQueue(every=1000)
        queue.turn().wait()
        def loop():
            while True:
                try:
                    queue.turn(timeout=0.0005).wait()
                except apiqueue.Timeout:
                    pass
        for _ in range(20):
            go(loop)
        time.sleep(0.05)
        """,
    "who poll": """
        queue = apiqueue.ApiQueue(every=0.001)
        def loop():
            while True:
                queue.start()
                waiter = queue.enqueue()
                while waiter.waiting:
                    time.sleep(0.0001)
        for _ in range(10):
            go(loop)
        time.sleep(0.05)
        """,
    "who run loops": """
        queue = apiqueue.ApiQueue(every=0.0005)
        async def forever():
            while True:
                await queue.turn()
        for _ in range(4):
            go(lambda: asyncio.run(forever()))
        time.sleep(0.05)
        """,
    "who are told of a stop at the end": """
        queue = apiqueue.ApiQueue(every=1000)
        queue.turn().wait()
        for _ in range(20):
            go(queue.turn().wait)
        time.sleep(0.02)
        atexit.register(queue.stop)
        """,
    "and a queue that drains at the end": """
        queue = apiqueue.ApiQueue(every=0.001)
        queue.start()
        waiters = [queue.enqueue() for _ in range(20)]
        atexit.register(queue.stop, True)
        """,
}

BEGIN = """
import asyncio, atexit, sys, threading, time
sys.setswitchinterval(0.0001)
import apiqueue

def go(what):
    threading.Thread(target=what, daemon=True).start()
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_with_daemon_threads(ending):
    import textwrap

    program = BEGIN + textwrap.dedent(ENDINGS[ending])
    # All at once: a busy machine finds more.
    for process in [start(program) for _ in range(20)]:
        end(process)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    "wait",
    [
        "queue.turn().wait()",
        "queue.enqueue().wait()",
        "queue.enqueue().wait(1000)",
        "queue.stop(soft_stop=True)",
        "asyncio.run(forever())",
    ],
)
def test_ctrl_c_ends_a_wait(wait):
    process = start(f"""
    import asyncio, apiqueue
    queue = apiqueue.ApiQueue(every=1000)
    queue.turn().wait()
    keep = queue.enqueue()

    async def forever():
        await queue.turn()

    print("begun", flush=True)
    try:
        {wait}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """)
    assert process.stdout.readline().strip() == "begun"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert end(process).strip() == "interrupted"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_that_raises_nothing_does_not_end_a_wait():
    program = """
    import signal, apiqueue
    heard = []
    signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    queue = apiqueue.ApiQueue(every=0.5)
    queue.turn().wait()
    turn = queue.turn().wait()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(turn.waited > 0.3, len(heard) > 1)
    """
    assert run(program).split() == ["True", "True"]


def test_who_waits_in_an_exit_handler_ends():
    program = """
    import atexit, apiqueue
    queue = apiqueue.ApiQueue(every=0.01)
    atexit.register(lambda: print(queue.turn().wait() is not None))
    queue.turn().wait()
    """
    assert run(program).strip() == "True"


def test_a_waiter_that_outlives_the_interpreters_modules():
    program = """
    import sys, apiqueue
    queue = apiqueue.ApiQueue(every=0.001)
    queue.start()
    sys.modules["kept"] = [queue, queue.enqueue(), queue.turn().wait(), queue.enqueue()]
    """
    run(program)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the way to make one with its own lock")
def test_a_subinterpreter_is_refused_by_its_name():
    program = """
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    import apiqueue
    one = interpreters.create()
    code = "\\n".join([
        "try:",
        "    import apiqueue",
        "except ImportError as why:",
        "    assert 'interpreter' in str(why), why",
        "else:",
        "    raise SystemExit('it was imported')",
    ])
    failed = None
    try:
        failed = (interpreters.run_string if hasattr(interpreters, "run_string") else interpreters.exec)(one, code)
    except Exception as why:
        failed = why
    assert not failed, failed
    with apiqueue.ApiQueue(1).turn():
        print("goes on")
    """
    assert run(program).strip() == "goes on"
