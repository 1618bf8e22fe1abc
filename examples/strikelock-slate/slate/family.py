"""What the entry point names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from slate.chain import SlateChain
from slate.settings import SlateSettings


class SlateFamily:
    """See `chains.port.Family`."""

    name = "slate"
    settings: type[BaseModel] = SlateSettings

    def make(self, name: str, settings: Mapping[str, Any], clock: Callable[[], float] = time.time) -> SlateChain:
        """A chain, not yet open. Raises pydantic's ValidationError on unknown or bad keys."""
        return SlateChain(name, SlateSettings.model_validate(dict(settings)), clock)


FAMILY = SlateFamily()
