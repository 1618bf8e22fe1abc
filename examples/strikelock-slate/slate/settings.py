"""What a chain's section of the configuration may hold. Descriptions are read by people: `config reference`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from chains.port import BlockProcess, Timing


class SlateSettings(BaseModel):
    """One file is one network; its name is the network's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str = Field(description="slate")
    file: Path = Field(description="the chain", examples=["play.slate"])
    network: str = Field(description="name of the network, as in the file's name", examples=["play"])
    interval: float = Field(default=10.0, gt=0, description="seconds between blocks")
    depth: int = Field(default=2, ge=1, description="blocks after which a reorganisation is not expected")
    stale_after: int = Field(default=3600, gt=0, description="a best block that is older means trouble, seconds")

    def timings(self) -> Timing:
        """What deadlines are derived from. Be honest here: a chain slower than it says loses money."""
        return Timing(
            process=BlockProcess.SLOTTED,
            interval=self.interval,
            inclusion=2,
            depth=self.depth,
            median_span=1,
            clock_error=2,
            stale_after=self.stale_after,
        )
