"""The EVM family: what the entry point names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from chains.evm.adapter import EvmChain
from chains.evm.settings import EvmSettings


class EvmFamily:
    """See `chains.port.Family`."""

    name = "evm"
    settings: type[BaseModel] = EvmSettings

    def make(self, name: str, settings: Mapping[str, Any], clock: Callable[[], float] = time.time) -> EvmChain:
        """A chain, not yet open. `clock` is for tests that move time. Raises pydantic's ValidationError."""
        return EvmChain(name, EvmSettings.model_validate(dict(settings)), clock)


FAMILY = EvmFamily()
