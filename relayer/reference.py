"""configs/reference.toml, from the models that read a configuration: every key, its default, its meaning."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chains.registry import families, load_family
from relayer.settings import Settings

WIDTH = 110
HEAD = """\
# Every key of a configuration with its default, written by `strikelock config reference`. Unknown keys are errors.
# Keys that every configuration must have stand here with an example; `# KEY =` has no default.
# Each key can also be set in the environment (STRIKELOCK_PEER__LISTEN=127.0.0.1:9956), which wins over the file,
# and on the command line (--set peer.listen=127.0.0.1:9956), which wins over both.
"""


def reference() -> str:
    """The whole file. Chain families that are not installed are left out."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        if name == "chains":
            for family in sorted(families()):
                parts += _table(f"chains.{family}", load_family(family).settings, {"family": family})
        elif model := _model(field):
            for place in _places(name, field):
                parts += _table(place, model, {})
    return "\n".join(parts)


def _table(path: str, model: type[BaseModel], given: dict[str, Any]) -> Iterator[str]:
    """One table, then the tables in it. given: values that the place decides."""
    text = [f"\n[{path}]"]
    if model.__doc__:
        text = ["", *_comment(model.__doc__.strip().split("\n\n")[0]), f"[{path}]"]
    inner: list[str] = []
    for name, field in model.model_fields.items():
        if inside := _model(field):
            for place in _places(f"{path}.{name}", field):
                inner += _table(place, inside, {})
        elif get_origin(field.annotation) is dict:
            inner += ["", *_comment(field.description or ""), f"[{path}.{name}]"]
        else:
            text += _key(name, field, given)
    yield from (*text, *inner)


def _places(path: str, field: FieldInfo) -> list[str]:
    """Where a table stands, or examples of a table of tables, whose names the user chooses."""
    return [f"{path}.{example}" for example in field.examples or ()] or [path]


def _key(name: str, field: FieldInfo, given: dict[str, Any]) -> Iterator[str]:
    choices = [value for value in get_args(field.annotation) if isinstance(value, str)]
    if len(choices) != 1:
        yield from _comment("; ".join(filter(None, [field.description, " | ".join(choices)])))
    if name in given:
        yield _line(name, given[name])
    elif field.is_required():
        yield _line(name, (field.examples or [""])[0])
    elif field.default is None:
        yield f"# {name} ="
    else:
        yield _line(name, field.default)


def _line(name: str, value: Any) -> str:
    import tomli_w

    if isinstance(value, Enum):
        value = value.value
    plain = str(value) if isinstance(value, Path) else value
    return tomli_w.dumps({name: plain}).strip()


def _comment(text: str) -> list[str]:
    return ["# " + line for line in textwrap.wrap(" ".join(text.split()), WIDTH)]


def _model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a table, or a table of tables."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
