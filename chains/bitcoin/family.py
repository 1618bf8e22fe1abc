"""The entry point of the UTXO family."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from chains.bitcoin.chain import UtxoChain
from chains.bitcoin.settings import UtxoSettings
from chains.port import Family


class UtxoFamily:
    """Makes chains from their sections of the configuration."""

    name = "bitcoin"
    settings: type[BaseModel] = UtxoSettings

    def make(self, name: str, settings: Mapping[str, Any], clock: Callable[[], float] = time.time) -> UtxoChain:
        """See the port. `clock` replaces the wall clock where time is moved."""
        return UtxoChain(name, UtxoSettings.model_validate(dict(settings)), clock)


FAMILY: Final[Family] = UtxoFamily()
