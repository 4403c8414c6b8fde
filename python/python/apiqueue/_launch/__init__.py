"""The launcher: sets the environment in which `sitecustomize` paces botocore, and becomes the program."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from .. import ConfigError, Error
from .._limits import AWS, registry_of

#: Only `sitecustomize` is in there.
_PATH = str(Path(__file__).resolve().parent / "path")

_ABOUT = """\
Runs a program so that each call that it makes to AWS by boto3, botocore or aiobotocore takes its turn, those of the Python
programs that it starts included. Nothing in the program is changed."""

_MORE = """\
examples:
  python -m apiqueue -- scout aws
  python -m apiqueue --limits aws --limits mine.toml -- python -m my_package
  python -m apiqueue --share audit -- prowler aws      (in two terminals: one limit for both)

Exit status: the program's own; 2 where the limits can't be read, 126 where the program can't be run, 127 where there is none."""


def main(arguments: Sequence[str]) -> int:
    """Becomes the program; on Windows waits for it. Returns only where that can't be, with the exit status."""
    parser = argparse.ArgumentParser(
        "python -m apiqueue", description=_ABOUT, epilog=_MORE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--limits",
        action="append",
        metavar="aws|FILE",
        help="the limits that AWS publishes, or a TOML file; said more than once, each goes over those before it (default: aws)",
    )
    parser.add_argument(
        "--share",
        metavar="NAME",
        help="one limit for all programs that are run with the same name (default: for each process its own)",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="each process that was paced says so at its end, on stderr, with its counts",
    )
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="-- program arguments",
        help="what to run: a command, a path, a .py file, or -m module",
    )
    said = parser.parse_args(arguments)
    program = said.program[1:] if said.program[:1] == ["--"] else said.program
    if not program:
        parser.error("which program? Say it after --, such as: python -m apiqueue -- scout aws")
    limits = [it if it == AWS else os.path.abspath(it) for it in said.limits or [AWS]]
    try:
        for path in limits:
            if os.pathsep in path:
                raise ConfigError(f"limits: {path!r} can't be handed on, as it has a {os.pathsep!r} in it")
        registry_of(limits, said.share).stop()
    except (Error, OSError) as why:
        print(f"apiqueue: {why}", file=sys.stderr)
        return 2
    return _become(_command(program), _environment(limits, said.share, said.report))


def _command(program: Sequence[str]) -> list[str]:
    """A `.py` file that can't be run by itself, and `-m module`, are run by this interpreter."""
    name = program[0]
    is_script = name.endswith(".py") and os.path.isfile(name) and not (os.access(name, os.X_OK) and os.name == "posix")
    if name == "-m" or is_script:
        return [sys.executable, *program]
    return list(program)


def _environment(limits: Sequence[str], share: str | None, report: bool) -> dict[str, str]:
    environment = dict(os.environ)
    environment["APIQUEUE_LIMITS"] = os.pathsep.join(limits)
    for name, value in (("APIQUEUE_SHARE", share), ("APIQUEUE_REPORT", "1" if report else None)):
        environment.pop(name, None)
        if value:
            environment[name] = value
    # An empty part would mean the current directory.
    before = [it for it in environment.get("PYTHONPATH", "").split(os.pathsep) if it and it != _PATH]
    environment["PYTHONPATH"] = os.pathsep.join([_PATH, *before])
    return environment


def _become(command: list[str], environment: dict[str, str]) -> int:
    try:
        if os.name == "posix":
            sys.stdout.flush()
            sys.stderr.flush()
            os.execvpe(command[0], command, environment)
        return _wait_for(command, environment)
    except FileNotFoundError:
        status, why = 127, "not found"
    except OSError as error:
        status, why = 126, error.strerror or str(error)
    print(f"apiqueue: can't run {command[0]!r}: {why}", file=sys.stderr)
    return status


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Where a process can't become another one. Ctrl-C goes to the program too, which ends by it as it likes."""
    with subprocess.Popen(command, env=environment) as program:
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:
                continue
