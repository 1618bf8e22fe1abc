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

    interval: Positive | None = None
    inclusion: Annotated[int, Field(ge=1)] | None = None
    depth: Annotated[int, Field(ge=1)] | None = None
    clock_error: Annotated[int, Field(ge=0)] | None = None
    stale_after: Annotated[int, Field(gt=0)] | None = None
    miss_probability: Annotated[float, Field(ge=0, lt=1)] | None = None


class EvmSettings(_Strict):
    """A section of the configuration with `family = "evm"`.

    url: http, https, ws or wss. factory, code_hash: where the vault contract stands and the hash of its code;
    without the latter it must be the code this release was compiled with. tokens: names for ERC-20 contracts.
    timing: a preset and departures from it. price_cap: wei per gas above which fees are never estimated.
    min_tip: wei per gas. poll: seconds between looks for a new block where the node does not announce them.
    timeout, patience: seconds for one request, and for trying it again. log_range: blocks searched at once.
    """

    family: Literal["evm"]
    chain_id: Annotated[int, Field(gt=0, lt=2**64)]
    url: Annotated[str, Field(pattern=r"^(https?|wss?)://")]
    factory: str
    code_hash: Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")] | None = None
    tokens: dict[str, str] = Field(default_factory=dict)
    preset: Literal["mainnet", "local"] = "mainnet"
    timing: TimingSettings = TimingSettings()
    price_cap: Annotated[int, Field(gt=0)] = 2000 * GWEI
    min_tip: Annotated[int, Field(ge=0)] = GWEI // 100
    poll: Positive | None = None
    timeout: Positive = 10.0
    patience: Positive = 5.0
    log_range: Annotated[int, Field(ge=1)] = 10_000

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
