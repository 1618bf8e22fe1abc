"""One section of the configuration: a chain of the UTXO family. Unknown keys are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from chains.bitcoin.params import NETWORKS, Network
from chains.port import BlockProcess, Timing

MAX_PRICE = 2_000_000  # 2000 sat/vB: above any fee that was ever needed

Price = Annotated[int, Field(gt=0, le=MAX_PRICE)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TimingSettings(_Strict):
    """Overrides of the network's timing; what is left out stays."""

    process: BlockProcess | None = Field(default=None, description="slotted where blocks are made by a clock")
    miss_probability: float | None = Field(default=None, ge=0, lt=1, description="of a slot, where slotted")
    interval: float | None = Field(default=None, gt=0, description="mean time between blocks, seconds")
    inclusion: int | None = Field(default=None, ge=1, description="blocks until a bid is mined")
    depth: int | None = Field(default=None, ge=1, description="blocks beyond which no reorganisation is expected")
    clock_error: int | None = Field(default=None, ge=0, description="error of a block's timestamp, seconds")
    stale_after: int | None = Field(
        default=None, ge=1, description="an older tip means a node in trouble, seconds"
    )


class UtxoSettings(_Strict):
    """How to reach one node, and how to behave on its network."""

    family: Literal["bitcoin"] = "bitcoin"
    coin: Literal["bitcoin", "litecoin"] = Field(default="bitcoin", description="whose rules hold")
    network: Literal["mainnet", "testnet", "testnet4", "signet", "regtest"] = Field(
        description="the node must be on it", examples=["mainnet"]
    )
    url: str = Field(
        repr=False,
        description="http://HOST:PORT of the node's JSON-RPC; may hold user:password@",
        examples=["http://127.0.0.1:8332"],
    )
    user: str | None = Field(default=None, description="of the node's JSON-RPC")
    password: SecretStr | None = Field(default=None, description="of the node's JSON-RPC")
    cookie: Path | None = Field(default=None, description="the node's .cookie file, instead of user and password")
    timing: TimingSettings = TimingSettings()
    timeout: float = Field(default=30, gt=0, description="seconds for one call")
    scan_timeout: float = Field(default=1800, gt=0, description="seconds for the scan of the UTXO set at start")
    patience: float = Field(default=5, ge=0, description="seconds of retries before the node counts as gone")
    poll: float | None = Field(default=None, gt=0, description="seconds between two looks while waiting")
    fallback_economical: Price | None = Field(default=None, description="sat/kvB while there is no estimate")
    fallback_urgent: Price | None = Field(default=None, description="sat/kvB while there is no estimate")
    max_price: Price = Field(default=MAX_PRICE, description="sat/kvB that no estimate exceeds")
    gap_limit: int = Field(default=20, ge=1, le=1000, description="wallet addresses watched on each branch")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.coin, self.network) not in NETWORKS:
            raise ValueError(f"{self.coin} has no network {self.network!r}")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be http://HOST:PORT")
        if self.cookie is not None and (self.user is not None or parts.username is not None):
            raise ValueError("give either a cookie file or a user and password")
        return self

    @property
    def params(self) -> Network:
        """The network with this section's timing."""
        network = NETWORKS[self.coin, self.network]
        return replace(network, timing=self._timing(network.timing))

    def _timing(self, preset: Timing) -> Timing:
        given = {name: value for name, value in self.timing.model_dump().items() if value is not None}
        return replace(preset, **given)

    @property
    def endpoint(self) -> str:
        """The URL without credentials."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))

    def credentials(self) -> tuple[str, str] | None:
        """User and password, read anew each time: a node writes a new cookie at each start.

        Raises OSError where the cookie file can't be read (the node is down, or another user's)."""
        if self.cookie is not None:
            user, _, password = self.cookie.read_text(encoding="utf-8").strip().partition(":")
            return user, password
        if self.user is not None:
            return self.user, self.password.get_secret_value() if self.password else ""
        parts = urlsplit(self.url)
        if parts.username is not None:
            return unquote(parts.username), unquote(parts.password or "")
        return None
