"""`python -m apiqueue -- program`: who is paced, and that nobody is broken."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import venv

import pytest
from boto_fixtures import *  # noqa: F403
from support import REGION

import apiqueue

REGIONS = f"ec2/{REGION}/DescribeRegions"
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(apiqueue.__file__)))
CALL = "import boto3, os; boto3.client('ec2', endpoint_url=os.environ['SERVER']).describe_regions()"
#: A botocore that has what the launcher looks for, for environments in which there is none.
SMALL_BOTOCORE = "class BaseClient:\n    def __init__(self):\n        pass\n"
#: The launcher itself is a Python, and has the user's `sitecustomize` too.
IN_THE_PROGRAM = "'APIQUEUE_LIMITS' in __import__('os').environ"
IS_PACED = "from botocore.client import BaseClient; print('paced' if hasattr(BaseClient.__init__, '_apiqueue_original') else 'plain')"


@pytest.fixture
def mine(tmp_path):
    """A file of limits that never wait."""
    file = tmp_path / "mine.toml"
    file.write_text("[default]\nper_second = 1000\nburst = 1000\n")
    return file


@pytest.fixture
def launch(mine, tmp_path):
    """Runs the launcher to its end."""

    def run(*arguments, limits=mine, options=(), environment=None, cwd=tmp_path):
        said = [] if limits is None else ["--limits", str(limits)]
        command = [sys.executable, "-m", "apiqueue", *said, *options, *map(str, arguments)]
        around = {**os.environ, **(environment or {})}
        if PACKAGES in os.environ.get("PYTHONPATH", ""):
            # This package is not installed, but found there.
            around["PYTHONPATH"] = os.pathsep.join(filter(None, [around.get("PYTHONPATH"), PACKAGES]))
        return subprocess.run(command, env=around, cwd=cwd, capture_output=True, text=True, timeout=120)

    return run


def script(directory, name, text):
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def test_a_program_is_paced_and_says_so_when_asked(launch, scripted):
    server = scripted()
    done = launch("--", sys.executable, "-c", CALL, options=["--report"], environment={"SERVER": server.url})
    assert done.returncode == 0, done.stderr
    assert f"{REGIONS}: 1 released" in done.stderr
    assert len(server.requests) == 1


def test_a_program_is_slowed(launch, scripted, tmp_path):
    server = scripted()
    slow = script(tmp_path, "slow.toml", "['ec2/*/*']\nevery = '300ms'\n[default]\nunlimited = true\n")
    many = "import boto3, os; ec2 = boto3.client('ec2', endpoint_url=os.environ['SERVER']); [ec2.describe_regions() for _ in range(4)]"
    assert launch("--", sys.executable, "-c", many, limits=slow, environment={"SERVER": server.url}).returncode == 0
    assert server.requests[3]["at"] - server.requests[0]["at"] >= 0.85


def test_the_programs_that_it_starts_are_paced_too(launch, scripted):
    server = scripted()
    outer = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {CALL!r}]))"
    done = launch("--", sys.executable, "-c", outer, options=["--report"], environment={"SERVER": server.url})
    assert done.returncode == 0, done.stderr
    assert f"{REGIONS}: 1 released" in done.stderr


def test_so_are_spawned_workers(launch, scripted, tmp_path):
    server = scripted()
    program = script(
        tmp_path,
        "spawning.py",
        """
        import multiprocessing, os

        def call(_):
            import boto3
            from botocore.client import BaseClient
            boto3.client("ec2", endpoint_url=os.environ["SERVER"]).describe_regions()
            return hasattr(BaseClient.__init__, "_apiqueue_original")

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(pool.map(call, range(2)))
        """,
    )
    done = launch("--", sys.executable, program, environment={"SERVER": server.url})
    assert done.stdout.strip() == "[True, True]", done.stderr


def test_aiobotocore_is_paced_too(launch, scripted):
    pytest.importorskip("aiobotocore", reason="aiobotocore is not installed")
    server = scripted()
    program = """if True:
        import asyncio, os
        from aiobotocore.session import get_session
        async def main():
            async with get_session().create_client('ec2', endpoint_url=os.environ['SERVER']) as ec2:
                await ec2.describe_regions()
        asyncio.run(main())
    """
    done = launch("--", sys.executable, "-c", program, options=["--report"], environment={"SERVER": server.url})
    assert f"{REGIONS}: 1 released" in done.stderr, done.stderr


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_exit_status_is_the_program_s(status, launch):
    assert launch("--", sys.executable, "-c", f"raise SystemExit({status})").returncode == status


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_come_to_the_program_and_its_end_by_one_is_seen(number, mine):
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-m", "apiqueue", "--limits", str(mine), "--", sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "up\n"
        running.send_signal(number)
        assert running.wait(60) == -number


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_call_that_waits_in_line(scripted, tmp_path):
    server = scripted()
    slow = script(tmp_path, "slow.toml", "[default]\nevery = '1h'\n")
    program = """if True:
        import boto3, os
        ec2 = boto3.client('ec2', endpoint_url=os.environ['SERVER'])
        ec2.describe_regions()
        try:
            print('waits', flush=True)
            ec2.describe_regions()
        except KeyboardInterrupt:
            raise SystemExit(42)
    """
    command = [sys.executable, "-m", "apiqueue", "--limits", str(slow), "--", sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": PACKAGES, "SERVER": server.url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "waits\n"
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 42
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is no file"),
        ("[default]\nper_second = 0\n", "per_second"),
        ("not toml", "line 1"),
        ("", "default"),
        ("[default]\nper_secnd = 1\n", "per_secnd"),
    ],
)
def test_limits_that_can_t_be_read_are_one_line_and_the_program_never_starts(text, said, launch, tmp_path):
    file = tmp_path / "limits.toml"
    if text is not None:
        file.write_text(text)
    done = launch("--", sys.executable, "-c", "open('started', 'w')", limits=file)
    assert done.returncode == 2
    assert done.stderr.startswith("apiqueue: ") and done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr and not (tmp_path / "started").exists()


@pytest.mark.skipif(os.pathsep != ":", reason="files may be called so on POSIX")
def test_a_path_that_can_t_be_handed_on_is_refused(launch, mine, tmp_path):
    odd = tmp_path / "a:b.toml"
    mine.rename(odd)
    done = launch("--", "true", limits=odd)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "has a ':' in it" in done.stderr


def test_the_inner_launcher_counts(launch, mine, scripted, tmp_path):
    server = scripted()
    unlimited = script(tmp_path, "unlimited.toml", "[default]\nunlimited = true\n")
    inner = [sys.executable, "-m", "apiqueue", "--limits", str(mine), "--report", "--", sys.executable, "-c", CALL]
    done = launch("--", *inner, limits=unlimited, environment={"SERVER": server.url, "PYTHONPATH": PACKAGES})
    assert f"{REGIONS}: 1 released" in done.stderr, done.stderr


def test_what_can_t_be_run_is_said(launch, tmp_path):
    assert launch().returncode == 2
    assert "which program?" in launch("--").stderr
    missing = launch("--", "no-such-program-anywhere")
    assert (missing.returncode, missing.stderr) == (127, "apiqueue: can't run 'no-such-program-anywhere': not found\n")
    plain = script(tmp_path, "notes.txt", "hello")
    refused = launch("--", plain)
    assert refused.returncode == 126 and refused.stderr.startswith("apiqueue: can't run")
    assert launch("--no-such-option", "--", "true").returncode == 2


def test_a_command_a_script_a_module_and_a_relative_path_are_run(launch, tmp_path):
    shows = "import sys\nprint(sys.argv[1:], __name__)\n"
    script(tmp_path, "tool.py", shows)
    script(tmp_path, "package/__main__.py", shows)
    executable = script(tmp_path, "bin/tool", f"#!{sys.executable}\n{shows}")
    executable.chmod(0o755)
    for program in (
        ["tool.py"],
        ["./tool.py"],
        ["-m", "package"],
        [sys.executable, "tool.py"],
        ["bin/tool"],
        [executable],
        ["tool"],
    ):
        environment = {"PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])}
        done = launch("--", *program, "--", "a b", "--limits", "", "x", environment=environment)
        assert done.stdout == "['--', 'a b', '--limits', '', 'x'] __main__\n", (program, done.stderr)
    assert launch("tool.py", "--share", "x").stdout == "['--share', 'x'] __main__\n", (
        "without a -- the program begins at its name"
    )


def test_limits_by_a_relative_path_hold_for_a_child_elsewhere(launch, scripted, tmp_path):
    server = scripted()
    program = "import os; os.chdir('/'); " + CALL
    done = launch(
        "--",
        sys.executable,
        "-c",
        program,
        limits="mine.toml",
        options=["--report"],
        environment={"SERVER": server.url},
    )
    assert f"{REGIONS}: 1 released" in done.stderr, done.stderr


def test_a_sitecustomize_of_the_user_s_runs_too(launch, tmp_path):
    script(
        tmp_path,
        "site/sitecustomize.py",
        f"import builtins; builtins.MARK = 'mine'; {IN_THE_PROGRAM} and print(__file__)",
    )
    shows = "import sitecustomize; print(MARK, sitecustomize.__file__)"
    done = launch("--", sys.executable, "-c", shows, environment={"PYTHONPATH": str(tmp_path / "site")})
    file = str(tmp_path / "site" / "sitecustomize.py")
    assert done.stdout == f"{file}\nmine {file}\n", done.stderr


def test_one_that_fails_is_told_as_ever_and_pacing_goes_on(launch, tmp_path, scripted):
    server = scripted()
    script(tmp_path, "site/sitecustomize.py", "import no_such_thing")
    environment = {"PYTHONPATH": str(tmp_path / "site"), "SERVER": server.url}
    done = launch("--", sys.executable, "-c", CALL, options=["--report"], environment=environment)
    assert "no_such_thing" in done.stderr
    assert f"{REGIONS}: 1 released" in done.stderr, done.stderr


def test_the_path_of_a_program_is_as_it_would_be(launch):
    shows = "import sys; print([it for it in sys.path if '_launch' in it or (it == '' and sys.path.index(it))]); import sitecustomize"
    assert launch("--", sys.executable, "-c", shows).stdout == "[]\n"


@pytest.mark.parametrize("option", ["-S", "-I", "-E"])
def test_a_python_that_hears_of_nothing_runs_unpaced(option, launch):
    # With -S there are no packages either.
    program = "print('plain')" if option == "-S" else IS_PACED
    assert launch("--", sys.executable, option, "-c", program).stdout == "plain\n"


def environment_of_its_own(directory, packages):
    """A virtual environment in which there is nothing but these."""
    venv.create(directory, symlinks=True)
    python = directory / "bin" / "python"
    where = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    for name, text in packages.items():
        file = os.path.join(where, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as out:
            out.write(text)
    return python


@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
def test_an_environment_without_the_package_uses_the_launcher_s(launch, tmp_path):
    python = environment_of_its_own(
        tmp_path / "other", {"botocore/__init__.py": "", "botocore/client.py": SMALL_BOTOCORE}
    )
    done = launch("--", python, "-c", IS_PACED, environment={"PYTHONPATH": ""})
    assert done.stdout == "paced\n", done.stderr


@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
def test_an_environment_with_another_package_of_that_name_is_left_alone_and_told(launch, tmp_path):
    packages = {
        "botocore/__init__.py": "",
        "botocore/client.py": SMALL_BOTOCORE,
        "apiqueue/__init__.py": "WHOSE = 'theirs'\n",
    }
    python = environment_of_its_own(tmp_path / "other", packages)
    program = script(tmp_path, "program.py", IS_PACED + "; import apiqueue; print(apiqueue.WHOSE)")
    command = [sys.executable, "-m", "apiqueue", "--", str(python), str(program)]
    # Found by the working directory, since a PYTHONPATH would go before what the other environment has.
    done = subprocess.run(
        command, cwd=PACKAGES, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "plain\ntheirs\n", done.stderr
    assert "not paced: the package `apiqueue` of this environment is another one" in done.stderr


def test_a_program_without_botocore_hears_nothing_of_it(launch):
    done = launch("--", sys.executable, "-c", "import sys; print('apiqueue' in sys.modules)", options=["--report"])
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_loader_of_botocore_is_as_it_would_be(launch):
    shows = "import botocore.client as it, inspect; print(type(it.__spec__.loader).__name__, len(inspect.getsource(it)) > 1000)"
    assert launch("--", sys.executable, "-c", shows).stdout == "SourceFileLoader True\n"


def test_programs_with_one_name_share_one_limit_and_so_do_their_children(scripted, tmp_path):
    server = scripted()
    slow = script(tmp_path, "slow.toml", "[default]\nevery = '200ms'\n")
    calls = "import boto3, os; ec2 = boto3.client('ec2', endpoint_url=os.environ['SERVER']); [ec2.describe_regions() for _ in range(4)]"
    child = f"import subprocess, sys; subprocess.check_call([sys.executable, '-c', {calls!r}])"
    command = [
        sys.executable,
        "-m",
        "apiqueue",
        "--limits",
        str(slow),
        "--share",
        str(tmp_path / "shared"),
        "--",
        sys.executable,
        "-c",
    ]
    environment = {**os.environ, "PYTHONPATH": PACKAGES, "SERVER": server.url}
    running = [subprocess.Popen([*command, program], env=environment) for program in (calls, child, calls)]
    assert [it.wait(120) for it in running] == [0, 0, 0]
    assert len(server.requests) == 12
    # Each by itself would have taken 0.6 s, all at the same time.
    assert server.requests[-1]["at"] - server.requests[0]["at"] >= 1.5
