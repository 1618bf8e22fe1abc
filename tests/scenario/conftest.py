"""One world of every chain for all scenarios."""

from __future__ import annotations

import pytest

from relayer.testing.world import EVM_NAMES, UTXO_NAMES, World


@pytest.fixture(scope="session")
async def world(tmp_path_factory):
    async with World((*UTXO_NAMES, *EVM_NAMES), tmp_path_factory.mktemp("world")) as world:
        yield world
