"""Parties that lose everything but seed and descriptors, and watch how recovery gets their money out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relayer.recover import Recovery
from settlement.backup import read_files
from tests.stage import Player


@asynccontextmanager
async def recovered(player: Player) -> AsyncIterator[Recovery]:
    """A new machine with the player's seed, its backup folder, and nothing else."""
    settings = player.party.settings
    folder = settings.party.folder / "recovered"
    party = settings.party.model_copy(update={"folder": folder, "database": ""})
    fresh = settings.model_copy(update={"party": party})
    async with Recovery.open(fresh, player.party.seed, read_files([settings.backup.folder])) as recovery:
        yield recovery
