"""A watchtower: pushes what is due in other people's deals, and can take nothing.

It runs the same rules as everybody, as a party that is limited and has no secrets: then a plan holds nothing but
refunds whose time has come and claims whose preimages are public. What carries such an action out is a push with
the tower's own gas where the terms fix the recipient, and a spend that the owner signed ahead everywhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from chains.errors import StrikelockError
from chains.extras import Completes
from chains.port import Chain
from chains.registry import make_chain
from htlc.driver import Driver
from htlc.errors import PeerUnavailable
from htlc.ports import Deal
from htlc.protocols import protocol
from relayer.errors import AlreadyWatched
from relayer.package import MAX_BYTES, SUFFIX, Package, check_package, read_package
from relayer.party import LocalClock, fee_policies
from relayer.settings import FeeSettings, Settings
from relayer.tower_wallets import LadderWallet, PushingWallet, TowerWallet
from settlement.backup import limited, read_raw
from settlement.seed import Seed
from settlement.store import Store
from settlement.store.errors import DealExists

log = structlog.get_logger(__name__)

DATABASE_FILE = "tower.db"
RELOAD_SECONDS = 5.0


class NobodyToTell:
    """See `htlc.ports.Peer`. A tower signs nothing, so there is nothing to send."""

    async def send_consent(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        raise PeerUnavailable(deal.peer, "a tower signs no release")


# --- the tower -------------------------------------------------------------------------------------------


class Tower:
    """Watches every package in a folder. `driver` does the work, on a database of the tower's own."""

    def __init__(
        self,
        store: Store,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, TowerWallet],
        clock: LocalClock,
        settings: Settings,
        folder: Path,
    ) -> None:
        self._store = store
        self._chains = chains
        self._wallets = wallets
        self._folder = folder
        self._read: dict[Path, float] = {}
        policies = fee_policies(settings, chains)
        self.driver = Driver(store, chains, wallets, _no_secret, clock, NobodyToTell(), policies)
        self.refused: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, seed: Seed, folder: Path) -> AsyncIterator[Tower]:
        """Open chains and database. `seed` is the tower's own, for gas. Raises DatabaseInUse, and what a node of
        the wrong network raises."""
        clock = LocalClock(settings.testing.clock_offset_file)
        async with AsyncExitStack() as stack:
            settings.party.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            database = str(settings.party.folder / DATABASE_FILE)
            store = await stack.enter_async_context(await Store.open(database, drive=True))
            chains = {name: make_chain(name, section, clock.now) for name, section in settings.chains.items()}
            for chain in chains.values():
                stack.push_async_callback(chain.close)
            await asyncio.gather(*(chain.open() for chain in chains.values()))
            wallets = {name: _wallet(settings, chain, seed) for name, chain in chains.items()}
            tower = cls(store, chains, wallets, clock, settings, folder)
            stack.push_async_callback(tower.driver.close)
            yield tower

    @property
    def gas(self) -> dict[str, str]:
        """Addresses that the tower pays gas from, by chain."""
        return {name: wallet.address for name, wallet in self._wallets.items() if wallet.address}

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set; packages that come later, or anew, are taken in as they come."""
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(self._reload())
            await self.driver.run(stop)
            reloading.cancel()

    async def _reload(self) -> None:
        while True:
            await self.load()
            await asyncio.sleep(RELOAD_SECONDS)

    async def load(self) -> None:
        """Take in every package that is new or was written anew. One that is refused does not disturb others."""
        for path in sorted(self._folder.glob("*" + SUFFIX)):
            changed = path.stat().st_mtime
            if self._read.get(path) == changed:
                continue
            self._read[path] = changed
            try:
                await self.take(read_package(read_raw(path, MAX_BYTES), path.name))
                self.refused.pop(path.name, None)
            except StrikelockError as error:
                self.refused[path.name] = str(error)
                log.warning("package refused", file=path.name, reason=str(error))

    async def take(self, package: Package) -> None:
        """Watch a deal for its owner. Raises AlreadyWatched, BadPackage, BadPresigned, WrongChain, a LegError."""
        rungs = check_package(package, self._chains)
        deal = package.deal
        try:
            await self._store.add(limited(replace(deal, peer="")))
        except DealExists:
            known = await self._store.deal(deal.id)
            if known.role != deal.role:
                raise AlreadyWatched(deal.id, known.role) from None
        legs = protocol(deal.terms.protocol).legs(deal.terms)
        for (name, path), found in rungs.items():
            wallet = self._wallets[legs[name].chain]
            if isinstance(wallet, LadderWallet):
                wallet.learn(legs[name], path, found)
        log.info("watching", deal=deal.id, role=deal.role, spends=len(package.spends))

    async def deals(self) -> tuple[Deal, ...]:
        """What is watched and not over."""
        return await self._store.deals()


def _no_secret(nonce: bytes, label: str) -> bytes:
    """A tower knows no secret, and its limited stance never asks for one."""
    return b""


def _wallet(settings: Settings, chain: Chain, seed: Seed) -> TowerWallet:
    if isinstance(chain, Completes):
        return LadderWallet(chain, chain)
    most = settings.fees.get(chain.name, FeeSettings()).cap
    return PushingWallet(chain, chain.wallet(seed.raw), most)
