"""The stubs say what is there, and all that is there says what it does."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path

import pytest

import apiqueue
from apiqueue import _apiqueue

STUBS = ast.parse((Path(apiqueue.__file__).parent / "_apiqueue.pyi").read_text())
CLASSES = {node.name: node for node in STUBS.body if isinstance(node, ast.ClassDef)}
FUNCTIONS = {node.name: node for node in STUBS.body if isinstance(node, ast.FunctionDef)}
SETTINGS = {"ApiQueue": {"per_second": 1}, "Account": {"per_second": 1}}


def names(node: ast.ClassDef) -> set[str]:
    found = set()
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(one.name)
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            found.add(one.target.id)
    return found


def is_public(name: str) -> bool:
    return not name.startswith("_")


def test_the_package_says_that_it_is_typed():
    assert (Path(apiqueue.__file__).parent / "py.typed").exists()


def test_all_classes_and_functions_are_in_the_stubs_and_no_others():
    there = {name: one for name, one in vars(_apiqueue).items() if is_public(name)}
    assert {name for name, one in there.items() if isinstance(one, type)} == set(CLASSES)
    assert {name for name, one in there.items() if not isinstance(one, type)} == set(FUNCTIONS)


@pytest.mark.parametrize("name", CLASSES)
def test_all_members_are_in_the_stubs_and_no_others(name):
    one = getattr(_apiqueue, name)
    if issubclass(one, dict) or name == "Stats":
        # What a mapping has is said by its base.
        inherited = set(dir(Mapping)) | {"text"}
    else:
        inherited = set()
    stubs = names(CLASSES[name])
    assert {member for member in dir(one) if is_public(member)} - inherited == {member for member in stubs if is_public(member)}
    assert all(hasattr(one, member) for member in stubs)


def parameters(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    return [one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]


@pytest.mark.parametrize("name", CLASSES)
def test_methods_take_what_the_stubs_say(name):
    for node in CLASSES[name].body:
        if not isinstance(node, ast.FunctionDef) or not is_public(node.name):
            continue
        member = inspect.getattr_static(getattr(_apiqueue, name), node.name)
        if any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list):
            assert not callable(member), node.name
            continue
        signature = inspect.signature(getattr(getattr(_apiqueue, name), node.name))
        given = list(signature.parameters.values())
        assert [one.name for one in given] == parameters(node), node.name
        kinds = {one.arg: one for one in node.args.kwonlyargs}
        assert all((one.kind is one.KEYWORD_ONLY) == (one.name in kinds) for one in given), node.name


@pytest.mark.parametrize("name", SETTINGS)
def test_all_settings_that_the_stubs_say_are_known_and_no_others(name):
    (made,) = [one for one in CLASSES[name].body if isinstance(one, ast.FunctionDef) and one.name in ("__new__", "__init__")]
    make = getattr(apiqueue, name)
    for parameter in parameters(made)[1:]:
        if parameter not in SETTINGS[name]:
            make(**SETTINGS[name], **{parameter: None})
        assert parameter in make.__doc__, parameter
    with pytest.raises(TypeError):
        make(**SETTINGS[name], unknown=None)


@pytest.mark.parametrize("name", CLASSES)
def test_all_that_is_public_says_what_it_does(name):
    one = getattr(_apiqueue, name)
    assert one.__doc__
    for member in vars(one):
        if is_public(member) and not isinstance(getattr(one, member), type):
            if name in ("Stats", "StopReport") and not callable(getattr(one, member)):
                continue  # said at the class
            assert getattr(one, member).__doc__, f"{name}.{member}"


def test_what_the_package_has_is_what_it_says():
    assert all(hasattr(apiqueue, name) for name in apiqueue.__all__)
    public = {name for name in vars(apiqueue) if is_public(name) and not inspect.ismodule(getattr(apiqueue, name))}
    assert public - {"annotations"} == set(apiqueue.__all__)


def test_type_checkers_find_nothing():
    mypy = pytest.importorskip("mypy.api", reason="mypy is not installed")
    out, errors, code = mypy.run(["--strict", "--no-error-summary", str(Path(__file__).parent / "typed.py")])
    assert code == 0, out + errors
