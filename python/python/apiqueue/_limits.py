"""What may be given as limits: by name, as a file, as objects, one over another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import ConfigError, Limits, Registry

#: The name of the limits that AWS publishes.
AWS = "aws"


def registry_of(limits: Any, share: str | None = None) -> Registry:
    """The registry of `limits`; a `Registry` is taken as it is.

    `limits` is `"aws"`, the path or the text of a TOML file, a `Limits`, or several of these in a list, of which each goes over those before it.

    Raises `ConfigError` where it is something else or can't be read.
    """
    if isinstance(limits, Registry):
        if share is not None:
            raise ConfigError(
                f"share={share!r} can't be said of a Registry that is there already: say it to Registry(…, share=…)"
            )
        return limits
    if isinstance(limits, (list, tuple)):
        return Registry(_layered(limits), share=share)
    return Registry(_one(limits), share=share)


def _layered(layers: Any) -> Limits:
    if not layers:
        raise ConfigError("limits=[]: at least one is needed, such as 'aws' or the path of a TOML file")
    lowest, *rest = layers
    result = _one(lowest)
    for layer in rest:
        if not isinstance(layer, (str, os.PathLike)) or layer == AWS:
            raise ConfigError(f"limits: only a TOML file can go over others, not {layer!r}")
        result = result.overridden(_toml(layer))
    return result


def _one(limits: Any) -> Limits:
    if isinstance(limits, Limits):
        return limits
    if limits == AWS:
        return Limits.aws()
    if isinstance(limits, (str, os.PathLike)):
        return Limits.from_toml(_toml(limits))
    raise ConfigError(
        f"limits={limits!r}: may be 'aws', the path of a TOML file, a Limits, a Registry, or a list of them"
    )


def _toml(limits: str | os.PathLike[str]) -> str | Path:
    """A file's path, or its text, which has more than one line or begins with a table."""
    if isinstance(limits, str) and ("\n" in limits or limits.startswith("[")):
        return limits
    path = Path(limits)
    if not path.is_file():
        raise ConfigError(f"limits: {os.fspath(limits)!r} is no file, and the only limits that have a name are 'aws'")
    return path
