"""Reading a configuration: one TOML file, strict. Environment variables (STRIKELOCK_PEER__LISTEN=...) win over it,
and settings given on the command line over both. Whatever is wrong is told at once.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from chains.errors import StrikelockError
from relayer.errors import BadConfig, NoConfig, Problem
from relayer.settings import FeedSettings, Settings


def load(file: Path, overrides: Iterable[str] = ()) -> Settings:
    """Read and check a configuration. overrides: KEY=VALUE with dotted keys, VALUE in TOML or a plain word; they
    win over everything. Raises NoConfig, or BadConfig with every problem at once."""
    if not file.is_file():
        raise NoConfig(str(file))
    try:
        data = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(str(file), (Problem("file", f"it is no TOML: {error}"),)) from error
    model = _layered(_overrides(file, overrides))
    problems: list[Problem] = []
    settings: Settings | None = None
    try:
        settings = model(**data)
    except ValidationError as error:
        problems += _problems(error, Settings)
    sections = data.get("chains") if settings is None else settings.chains
    if isinstance(sections, dict):
        problems += _chain_problems({name: part for name, part in sections.items() if isinstance(part, dict)})
    if settings is not None:
        problems += _strange_names("fees", settings.fees, settings.chains)
        problems += _strange_names("validator.endpoints", settings.validator.endpoints, settings.chains)
        for name, lane in settings.lanes.items():
            problems += _strange_names(f"lanes.{name}", (lane.source, lane.destination), settings.chains)
        for name, feed in settings.feeds.items():
            problems += _strange_names(f"feeds.{name}", (feed.source, feed.destination), settings.chains)
            problems += _feed_problems(name, feed, settings)
        problems += _strange_names("explorers", settings.explorers, settings.chains)
        problems += _strange_assets(settings)
        if settings.relay.database and settings.relay.database == settings.party.database:
            problems.append(Problem("relay.database", "a relayer wants a database of its own: it drives no deals"))
    if settings is None or problems:
        raise BadConfig(str(file), tuple(problems))
    return _anchored(settings, file.resolve().parent)


def _strange_names(table: str, found: Iterable[str], chains: Iterable[str]) -> Iterator[Problem]:
    """Sections for chains that there are not."""
    known = list(chains)
    for name in found:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            yield Problem(f"{table}.{name}", "there is no such chain", close[0] if close else None)


def _strange_assets(settings: Settings) -> Iterator[Problem]:
    """Assets of the offers' limits and prices that are on no chain of ours."""
    offers = settings.offers
    tables: dict[str, Iterable[str]] = {"locked_per_peer": offers.locked_per_peer, "locked": offers.locked}
    for table, names in (*tables.items(), ("prices", offers.prices)):
        for name in names:
            parts = name.split(":") if table == "prices" else [name]
            if len(parts) != (2 if table == "prices" else 1) or not all("/" in part for part in parts):
                yield Problem(f"offers.{table}.{name}", "an asset is written CHAIN/ASSET")
            else:
                chains = [part.partition("/")[0] for part in parts]
                yield from _strange_names(f"offers.{table}", chains, settings.chains)


def _feed_problems(name: str, feed: FeedSettings, settings: Settings) -> Iterator[Problem]:
    """What a feed can't do: it goes from Bitcoin to an EVM chain, under a name that no lane has."""
    source, destination = (settings.chains.get(chain, {}) for chain in (feed.source, feed.destination))
    if source and (source.get("family"), source.get("coin", "bitcoin")) != ("bitcoin", "bitcoin"):
        yield Problem(f"feeds.{name}.source", "only Bitcoin's headers can be checked on an EVM chain")
    if destination and destination.get("family") != "evm":
        yield Problem(f"feeds.{name}.destination", "a light client stands on an EVM chain")
    if name in settings.lanes:
        yield Problem(f"feeds.{name}", "a lane has that name")


def _overrides(file: Path, given: Iterable[str]) -> dict[str, Any]:
    """KEY=VALUE words as a nested table. Raises BadConfig."""
    tree: dict[str, Any] = {}
    for word in given:
        key, equals, text = word.partition("=")
        if not equals or not all(key.split(".")):
            raise BadConfig(str(file), (Problem(word, "it is not KEY=VALUE"),))
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text  # a plain word, as in the environment
        *tables, last = key.split(".")
        place = tree
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise BadConfig(str(file), (Problem(word, f"{table!r} is set to a value before"),))
        place[last] = value
    return tree


def _layered(overrides: Mapping[str, Any]) -> type[Settings]:
    """The settings with the command line's layer on top."""

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            below = super().settings_customise_sources(settings_cls, *args, **sources)
            return InitSettingsSource(settings_cls, init_kwargs=dict(overrides)), *below

    return Layered


def _anchored(settings: Settings, base: Path) -> Settings:
    """Relative paths are relative to the file they stand in."""
    party, testing = settings.party, settings.testing
    party = party.model_copy(
        update={
            "folder": base / party.folder,
            "passphrase_file": party.passphrase_file and base / party.passphrase_file,
        }
    )
    testing = testing.model_copy(
        update={"clock_offset_file": testing.clock_offset_file and base / testing.clock_offset_file}
    )
    backup = settings.backup.model_copy(update={"folder": base / settings.backup.folder})
    api = settings.api.model_copy(update={"socket": settings.api.socket and base / settings.api.socket})
    relay, validator = settings.relay, settings.validator
    relay = relay.model_copy(update={"packages": relay.packages and base / relay.packages})
    validator = validator.model_copy(update={"folder": base / validator.folder})
    lanes = {
        name: lane.model_copy(update={"signatures": lane.signatures and base / lane.signatures})
        for name, lane in settings.lanes.items()
    }
    prices = {pair: base / file for pair, file in settings.offers.prices.items()}
    offers = settings.offers.model_copy(update={"prices": prices})
    anchored = {"party": party, "testing": testing, "backup": backup, "offers": offers, "api": api}
    return settings.model_copy(update={**anchored, "relay": relay, "validator": validator, "lanes": lanes})


def _chain_problems(chains: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    from chains.registry import load_family

    for name, section in chains.items():
        try:
            family = load_family(str(section.get("family", "")), name)
            family.settings.model_validate(dict(section))
        except ValidationError as error:
            yield from _problems(error, family.settings, f"chains.{name}")
        except StrikelockError as error:
            yield Problem(f"chains.{name}.family", str(error))


def _problems(error: ValidationError, model: type[BaseModel] | None, prefix: str = "") -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_input=False):
        where = ".".join([*([prefix] if prefix else []), *(str(part) for part in item["loc"])])
        nearest = None
        if item["type"] == "extra_forbidden" and model is not None:
            nearest = _nearest(model, cast("tuple[str, ...]", item["loc"]))
        what = "there is no such key" if item["type"] == "extra_forbidden" else item["msg"].lower()
        yield Problem(where, what, nearest)


def _nearest(model: type[BaseModel], loc: tuple[str, ...]) -> str | None:
    """The valid key nearest to an unknown one, in the table where it stands."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a name that the user chose, such as that of a chain
        found = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        if not found:
            return None
        model = found[0]
    close = difflib.get_close_matches(loc[-1], model.model_fields, n=1, cutoff=0.0)
    return close[0] if close else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
