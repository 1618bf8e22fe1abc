"""Finds chain families. Ours and other people's are entry points of the group `strikelock.chains`; nothing here
knows any of them, so a third party adds a chain by installing a package.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

from chains.errors import StrikelockError
from chains.port import Chain, Family

GROUP: Final = "strikelock.chains"


@dataclass(eq=False)
class UnknownFamily(StrikelockError):
    """A section of the configuration names a family that no installed package provides, or names none."""

    chain: str
    family: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"chain {self.chain!r}: there is no family {self.family!r}; installed: {known}"


@dataclass(eq=False)
class BrokenFamily(StrikelockError):
    """A family is installed, but what it needs is not, or it is no family."""

    family: str
    package: str
    reason: str
    template = "family {family!r} of package {package} can't be loaded: {reason}; is its extra installed?"


@dataclass(eq=False)
class AmbiguousFamily(StrikelockError):
    """Two installed packages provide a family of one name. Guessing could open the wrong one."""

    family: str
    packages: tuple[str, ...]
    template = "family {family!r} is provided by several packages: {packages}"


def families() -> dict[str, EntryPoint]:
    """Every installed family by name; none is imported. Raises AmbiguousFamily."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise AmbiguousFamily(entry.name, tuple(sorted((_package(other), _package(entry)))))
    return found


def load_family(name: str, chain: str = "") -> Family:
    """Import a family. `chain` is only for the message. Raises UnknownFamily, BrokenFamily, AmbiguousFamily."""
    found = families()
    if name not in found:
        raise UnknownFamily(chain, name, tuple(sorted(found)))
    try:
        family = found[name].load()
    except (ImportError, AttributeError) as error:
        raise BrokenFamily(name, _package(found[name]), str(error)) from error
    for part in ("make", "settings"):
        if not callable(getattr(family, part, None)):
            raise BrokenFamily(name, _package(found[name]), f"{found[name].value} has no `{part}`")
    return cast("Family", family)


def make_chain(name: str, section: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Chain:
    """A chain, not yet open, from its section of the configuration, whose key `family` says what it is.

    Raises UnknownFamily, BrokenFamily, AmbiguousFamily, and pydantic's ValidationError on unknown or bad keys.
    """
    family = load_family(str(section.get("family", "")), name)
    return family.make(name, section, clock)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "(unknown)"
