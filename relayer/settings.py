"""What the configuration may say: every key with its meaning. What a chain's section may hold is its family's
business.

`relayer/loading.py` reads the file; from these models `relayer/reference.py` writes configs/reference.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chains.errors import BadKey
from relayer.addresses import host_part, is_local

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


def database_url(settings: Settings) -> str:
    """The party's database: URL or path."""
    return settings.party.database or str(settings.party.folder / DATABASE_FILE)


def relay_url(settings: Settings) -> str:
    """The relayer's."""
    return settings.relay.database or str(settings.party.folder / RELAY_FILE)
