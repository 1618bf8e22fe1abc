"""The configuration: one TOML file, strict. Environment variables (STRIKELOCK_PEER__LISTEN=...) win over it, and
settings given on the command line over both.

Every key is here with its meaning; what a chain's section may hold is its family's business. From these models
`relayer/reference.py` writes configs/reference.toml.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chains.errors import BadKey, StrikelockError
from relayer.addresses import host_part, is_local
from relayer.errors import BadConfig, NoConfig, Problem

DATABASE_FILE = "strikelock.db"
RELAY_FILE = "relay.db"
DATABASE = r"^([^:]*|sqlite:///.+|postgresql://.+/.+)$"
SEED_FILE = "seed.json"


# Nodes on this machine at their usual ports: what `leg show` stands on where there is no configuration.
LOCAL_CHAINS: Mapping[str, Mapping[str, Any]] = {
    "bitcoin": {
        "family": "bitcoin",
        "coin": "bitcoin",
        "network": "regtest",
        "url": "http://127.0.0.1:18443",
    },
    "litecoin": {
        "family": "bitcoin",
        "coin": "litecoin",
        "network": "regtest",
        "url": "http://127.0.0.1:19443",
    },
    "evm": {
        "family": "evm",
        "chain_id": 31337,
        "url": "http://127.0.0.1:8545",
        "factory": "0xc1332995A2aBD87B5ec4Bd3221760b3cfDF9784a",
        "preset": "local",
    },
}


def evm_address(text: str) -> str:
    """An address as messages and logs name it: with the checksum of EIP-55. Raises ValueError."""
    from chains.evm.codec import address_bytes, checksum_address  # here: whoever has no EVM chain needs none of it

    try:
        return checksum_address(address_bytes(text))
    except BadKey as error:
        raise ValueError(str(error)) from error


class Section(BaseModel):
    """A table of the file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PartySettings(Section):
    """Who we are: where the seed and the database live."""

    folder: Path = Field(
        description="folder of the seed and the database; relative to this file", examples=["party"]
    )
    database: str = Field(
        default="",
        pattern=DATABASE,
        description="path, sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/NAME, which several daemons of one"
        " seed may share; empty: strikelock.db in the folder",
    )
    lease: float = Field(
        default=15.0,
        ge=1,
        le=600,
        description="seconds that a daemon may be silent before others on its database take over its deals",
    )
    passphrase_file: Path | None = Field(
        default=None,
        description="file that holds the seed's passphrase; else STRIKELOCK_PASSPHRASE, else asked for",
    )


class PeerSettings(Section):
    """How counterparties reach us."""

    listen: str = Field(
        default="127.0.0.1:9955", description="address and port to listen on; port 0 is any free one"
    )
    url: str = Field(default="", description="the URL we tell counterparties; empty: from `listen`")
    accept: str = Field(
        default="ask",
        pattern="^(ask|all)$",
        description="ask: proposals wait for `deal accept`; all: safe ones are taken",
    )


class RiskSettings(Section):
    """Our own parameters; a counterparty has its own."""

    outage: int = Field(default=3600, ge=0, description="longest outage of ours that must cost nothing, seconds")
    miss: float = Field(
        default=1e-6, gt=0, lt=0.1, description="highest accepted probability of missing a deadline of a deal"
    )
    longest_lock: int = Field(default=604_800, gt=0, description="longest time our money may be locked, seconds")


class FeeSettings(Section):
    """What fees may cost on one chain."""

    cap: int = Field(
        default=10**17, gt=0, description="most a transaction may cost where the leg is a token, native units"
    )
    share_permille: int = Field(
        default=100, ge=1, le=1000, description="most a fee may cost where nothing is at stake, of the leg's value"
    )
    low: int = Field(
        default=0, ge=0, description="the party is not ready while its wallet holds less coin, native units"
    )


class BackupSettings(Section):
    """What `strikelock recover` works from when database and machine are gone."""

    folder: Path = Field(
        default=Path("backup"), description="folder for descriptors; relative to this file; best on another disk"
    )
    mode: str = Field(
        default="file",
        pattern="^(file|chain|none)$",
        description="file: no deal is funded before its descriptor is in the folder; chain: before its record is"
        " final on a chain, and then the seed alone suffices; none: only `deal export`",
    )


class LaneSettings(Section):
    """Messages from an outbox on one EVM chain to an inbox on another."""

    source: str = Field(description="the chain of the outbox", examples=["evm"])
    outbox: str = Field(description="address", examples=["0x0000000000000000000000000000000000000000"])
    destination: str = Field(description="the chain of the inbox", examples=["evm"])
    inbox: str = Field(description="address", examples=["0x0000000000000000000000000000000000000000"])
    since: int = Field(default=0, ge=0, description="height of the outbox: no message before it")
    herald: str = Field(default="", description="address of the herald whose messages say what a leg paid")
    validators: tuple[str, ...] = Field(default=(), description="URLs that give signatures")
    signatures: Path | None = Field(default=None, description="folder in which validators leave signatures")
    regtest: bool = Field(default=False, description="take a quorum of one signer; no security")

    @field_validator("outbox", "inbox", "herald")
    @classmethod
    def _as_messages_name_it(cls, value: str) -> str:
        return value and evm_address(value)


class FeedSettings(Section):
    """Bitcoin's headers for a light client on an EVM chain, and proofs of collateral for a registry there."""

    source: str = Field(description="the chain of the headers, of the Bitcoin family", examples=["bitcoin"])
    destination: str = Field(description="the chain of the light client", examples=["evm"])
    client: str = Field(
        description="address of the light client", examples=["0x0000000000000000000000000000000000000000"]
    )
    registry: str = Field(default="", description="address of the registry of collateral; empty: headers only")
    batch: int = Field(default=500, ge=1, le=1000, description="headers in one transaction at the most")

    @field_validator("client", "registry")
    @classmethod
    def _as_messages_name_it(cls, value: str) -> str:
        return value and evm_address(value)


class LimitSettings(Section):
    """What the governor lets out of one asset, in its smallest unit; the asset is named as messages name it."""

    message: int = Field(gt=0, description="a message with more is held back", examples=[10**18])
    day: int = Field(gt=0, description="so is one that makes more in 24 hours", examples=[10**19])
    delay: int = Field(default=86_400, ge=0, description="for so many seconds")


class RelaySettings(Section):
    """A relayer: carries messages, pushes spends, holds nothing but gas."""

    database: str = Field(
        default="",
        pattern=DATABASE,
        description="as `party.database`, but a relayer's own; several of one seed may share one on PostgreSQL;"
        " empty: relay.db in the folder",
    )
    gas: int = Field(default=12_000_000, ge=200_000, le=16_000_000, description="of one delivery at the most")
    bytes: int = Field(default=96_000, ge=10_000, le=120_000, description="call data of one delivery at the most")
    flights: int = Field(default=4, ge=1, le=16, description="deliveries under way at once on one chain")
    cap: int = Field(default=10**17, gt=0, description="most that one delivery may cost, native units")
    packages: Path | None = Field(
        default=None, description="folder of watchtower packages whose spends are pushed; relative to this file"
    )
    limits: dict[str, LimitSettings] = Field(
        default_factory=dict, description="one table for each asset", examples=["native"]
    )

    @field_validator("limits")
    @classmethod
    def _as_messages_name_them(cls, value: dict[str, LimitSettings]) -> dict[str, LimitSettings]:
        return {name if name == "native" else evm_address(name): limit for name, limit in value.items()}


class ValidatorSettings(Section):
    """A validator: signs roots of outboxes that it sees in final blocks."""

    listen: str = Field(default="127.0.0.1:9970", description="address and port where signatures are served")
    folder: Path = Field(default=Path("signatures"), description="where they are left as files as well")
    set: int = Field(default=1, ge=1, description="number of the set of signers that we are in")
    agree: int = Field(default=2, ge=1, description="so many endpoints of a chain must say the same")
    endpoints: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="URLs of three nodes or more, by chain"
    )


class OfferSettings(Section):
    """What our own offers allow those who take them. See docs/offers.md for what each limit is against."""

    serve: bool = Field(default=True, description="answer peers that ask for our offers")
    peers: tuple[str, ...] = Field(
        default=(), description="identities of those whom we sell to; empty: anyone, and identities cost nothing"
    )
    quote: int = Field(default=30, ge=1, le=3600, description="seconds that a quote is good for")
    answer: int = Field(
        default=60,
        ge=1,
        le=300,
        description="seconds that a taken part is reserved for a taker that does not answer",
    )
    takings_per_peer: int = Field(
        default=3, ge=1, description="takings of one peer that may be open before their premium is taken"
    )
    takings: int = Field(default=50, ge=1, description="such takings of all peers together")
    cooldown: int = Field(
        default=3600,
        ge=0,
        description="seconds that a peer waits after a taking of its fell through; doubles with each further one",
    )
    spot_age: int = Field(default=60, ge=1, description="seconds after which a price is too old to quote by")
    locked_per_peer: dict[str, int] = Field(
        default_factory=dict,
        description='the most of ours that such takings of one peer may lock, by "CHAIN/ASSET", smallest units',
    )
    locked: dict[str, int] = Field(
        default_factory=dict, description="the same for all peers together; what is not named has no limit"
    )
    prices: dict[str, Path] = Field(
        default_factory=dict,
        description='by "CHAIN/ASSET:CHAIN/ASSET" (underlying, money), a file that a feed of yours keeps: one'
        " number, the price of a whole coin of the underlying; relative to this file",
    )


class AttesterSettings(Section):
    """For `strikelock attester start`: a member of the quorums of attested options."""

    listen: str = Field(
        default="127.0.0.1:9965", description="address and port to listen on; port 0 is any free one"
    )


class LogSettings(Section):
    """What is written to stderr: one JSON document a line."""

    level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="the least that is written"
    )


class OpsSettings(Section):
    """What the operator's own machines ask: /live, /ready and /metrics, without a token."""

    listen: str = Field(
        default="",
        pattern=r"^(|(localhost|127(\.\d+){3}|\[::1\]):\d+)$",
        description="loopback address and port; empty: none",
    )
    stall: float = Field(
        default=30.0, gt=0, description="seconds without a finished look at the deals: not live any more"
    )
    margin: int = Field(
        default=60, ge=0, description="seconds to the nearest deadline of ours below which we are not ready"
    )


class ApiSettings(Section):
    """The HTTP API: at a TCP address for those with a token, at a UNIX socket for the party's own user."""

    listen: str = Field(
        default="",
        pattern=r"^(|([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):\d+)$",
        description="address and port; loopback, unless `auth` is on; empty: none",
    )
    socket: Path | None = Field(
        default=None,
        description="path of a UNIX socket that only our user can open, and there may do everything; relative to"
        " this file; none unless given",
    )
    auth: bool = Field(default=True, description="false: whoever is on this machine may read without a token")
    hosts: tuple[str, ...] = Field(
        default=(), description="names that requests may call us by, besides `listen` and this machine's"
    )
    rate: int = Field(default=50, ge=1, le=10_000, description="requests a second that one caller is answered")
    connections: int = Field(default=128, ge=1, le=4096, description="that are open at once; more are closed")
    connections_each: int = Field(default=64, ge=1, le=4096, description="of them, those of one address")
    streams: int = Field(default=32, ge=1, le=1024, description="of events, that are open at once")

    @property
    def served(self) -> bool:
        """Whether there is an API at all."""
        return bool(self.listen) or self.socket is not None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.listen and not self.auth and not is_local(host_part(self.listen)):
            raise ValueError(f"auth is off, so listen must be a loopback address, which {self.listen} is not")
        return self


class DashboardSettings(Section):
    """The web page: what the party does and sees, without a token and without anything secret."""

    listen: str = Field(
        default="",
        pattern=r"^(|(localhost|127(\.\d+){3}|\[::1\]):\d+)$",
        description="loopback address and port; empty: none",
    )
    lanes: str = Field(
        default="",
        pattern=r"^(|http://(localhost|127(\.\d+){3}|\[::1\]):\d+/\S*)$",
        description="loopback URL at which a relayer says how its lanes stand; empty: none",
        examples=["http://127.0.0.1:9970/lanes"],
    )


class ExplorerSettings(Section):
    """Block explorers that the web page links to, by chain. A click tells them what we look at."""

    address: str = Field(
        default="",
        pattern=r"^(|https?://[^\s{}]+\{address\}[^\s{}]*)$",
        description="URL of an address, with {address} in it; empty: no links",
    )
    transaction: str = Field(
        default="",
        pattern=r"^(|https?://[^\s{}]+\{txid\}[^\s{}]*)$",
        description="URL of a transaction, with {txid} in it; empty: no links",
    )


class TelemetrySettings(Section):
    """Traces by OpenTelemetry; needs the extra `telemetry`."""

    endpoint: str = Field(
        default="",
        pattern=r"^(|https?://.+)$",
        description="URL that takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty: no traces",
    )


class TestingSettings(Section):
    """For tests and demos on regtest nodes only."""

    clock_offset_file: Path | None = Field(
        default=None,
        description="file with a number of seconds that is added to the local clock; read at each look",
    )


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="STRIKELOCK_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    party: PartySettings
    peer: PeerSettings = PeerSettings()
    risk: RiskSettings = RiskSettings()
    backup: BackupSettings = BackupSettings()
    offers: OfferSettings = OfferSettings()
    attester: AttesterSettings = AttesterSettings()
    attesters: dict[str, str] = Field(
        default_factory=dict,
        description="attesters that we rely on in attested options: the public key of each, and its URL",
    )
    fees: dict[str, FeeSettings] = Field(
        default_factory=dict, description="one table for each chain, if any", examples=["evm"]
    )
    lanes: dict[str, LaneSettings] = Field(
        default_factory=dict, description="one table for each lane", examples=["there"]
    )
    feeds: dict[str, FeedSettings] = Field(
        default_factory=dict, description="one table for each light client", examples=["btc"]
    )
    relay: RelaySettings = RelaySettings()
    validator: ValidatorSettings = ValidatorSettings()
    log: LogSettings = LogSettings()
    ops: OpsSettings = OpsSettings()
    api: ApiSettings = ApiSettings()
    dashboard: DashboardSettings = DashboardSettings()
    explorers: dict[str, ExplorerSettings] = Field(
        default_factory=dict, description="one table for each chain, if any", examples=["bitcoin"]
    )
    telemetry: TelemetrySettings = TelemetrySettings()
    testing: TestingSettings = TestingSettings()
    chains: dict[str, dict[str, Any]] = Field(
        description="one table for each chain; `family` says which adapter reads the rest"
    )

    @field_validator("attesters")
    @classmethod
    def _attesters(cls, value: dict[str, str]) -> dict[str, str]:
        for member, url in value.items():
            if not re.fullmatch(r"0[23][0-9a-f]{64}", member):
                raise ValueError(f"{member!r} is no compressed public key in lower-case hex")
            if not re.match(r"https?://", url):
                raise ValueError(f"{url!r} is no URL")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


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


def database_url(settings: Settings) -> str:
    """The party's database: URL or path."""
    return settings.party.database or str(settings.party.folder / DATABASE_FILE)


def relay_url(settings: Settings) -> str:
    """The relayer's."""
    return settings.relay.database or str(settings.party.folder / RELAY_FILE)


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
