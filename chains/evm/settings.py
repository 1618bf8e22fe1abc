"""Configuration of one EVM chain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chains.errors import BadKey
from chains.evm.codec import address_bytes, checksum_address
from chains.legs import NATIVE
from chains.port import BlockProcess, Timing

# Times in seconds. Slots of 12 s from EIP-3675 on; blocks are final after two epochs of 32 slots, more than any
# reorganisation seen since. A slot is missed about once in a hundred. Validators hold timestamps to the slot.
MAINNET = Timing(
    process=BlockProcess.SLOTTED,
    interval=12.0,
    inclusion=5,
    depth=64,
    median_span=1,
    clock_error=12,
    stale_after=300,
    miss_probability=0.01,
)
# A node on this machine: blocks every second or at once, so that a deal takes seconds. No security.
LOCAL = Timing(
    process=BlockProcess.SLOTTED,
    interval=1.0,
    inclusion=3,
    depth=3,
    median_span=1,
    clock_error=1,
    stale_after=3600,
    miss_probability=0.001,
)
PRESETS = {"mainnet": MAINNET, "local": LOCAL}

GWEI = 10**9

Positive = Annotated[float, Field(gt=0)]


def _address(value: str) -> str:
    try:
        return checksum_address(address_bytes(value))
    except BadKey as error:
        raise ValueError(str(error)) from error


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimingSettings(_Strict):
    """Departures from the preset; see `chains.port.Timing`."""

    interval: Positive | None = Field(default=None, description="seconds between slots")
    inclusion: Annotated[int, Field(ge=1)] | None = Field(default=None, description="blocks until a bid is mined")
    depth: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="blocks beyond which no reorganisation is expected"
    )
    clock_error: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="error of a block's timestamp, seconds"
    )
    stale_after: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="an older tip means a node in trouble, seconds"
    )
    miss_probability: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="that a slot has no block"
    )


class EvmSettings(_Strict):
    """How to reach one node of an EVM chain, and what stands on that chain."""

    family: Literal["evm"]
    chain_id: Annotated[int, Field(gt=0, lt=2**64)] = Field(description="EIP-155", examples=[1])
    url: Annotated[str, Field(pattern=r"^(https?|wss?)://")] = Field(
        description="of the node's JSON-RPC: http, https, ws or wss; with the latter two it announces its blocks",
        examples=["http://127.0.0.1:8545"],
    )
    factory: str = Field(
        description="address of the vault contract", examples=["0x0000000000000000000000000000000000000000"]
    )
    code_hash: Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the vault contract's code; left out: the code this release was compiled with"
    )
    tokens: dict[str, str] = Field(default_factory=dict, description="names for ERC-20 contracts, by address")
    preset: Literal["mainnet", "local"] = Field(default="mainnet", description="that `timing` departs from")
    timing: TimingSettings = TimingSettings()
    price_cap: Annotated[int, Field(gt=0)] = Field(
        default=2000 * GWEI, description="wei per gas above which fees are never estimated"
    )
    min_tip: Annotated[int, Field(ge=0)] = Field(default=GWEI // 100, description="least tip, wei per gas")
    poll: Positive | None = Field(
        default=None, description="seconds between looks for a new block where the node does not announce them"
    )
    timeout: Positive = Field(default=10.0, description="seconds for one request")
    patience: Positive = Field(default=5.0, description="seconds of retries before the node counts as gone")
    log_range: Annotated[int, Field(ge=1)] = Field(default=10_000, description="blocks searched for events")

    @field_validator("factory")
    @classmethod
    def _factory(cls, value: str) -> str:
        return _address(value)

    @field_validator("tokens")
    @classmethod
    def _tokens(cls, value: dict[str, str]) -> dict[str, str]:
        return {symbol: _address(address) for symbol, address in value.items()}

    @model_validator(mode="after")
    def _names(self) -> EvmSettings:
        for symbol, address in self.tokens.items():
            if symbol == NATIVE or symbol.startswith("0x"):
                raise ValueError(f"a token can't be called {symbol!r}")
            if address == self.factory:
                raise ValueError(f"token {symbol!r} has the factory's address")
        return self

    def timings(self) -> Timing:
        """The preset with the departures."""
        preset = PRESETS[self.preset]
        changes = self.timing.model_dump(exclude_none=True)
        return Timing(**{name: changes.get(name, getattr(preset, name)) for name in Timing.__slots__})

    def pause(self) -> float:
        """Seconds between looks for a new block."""
        return self.poll if self.poll is not None else min(self.timings().interval / 4, 2.0)
