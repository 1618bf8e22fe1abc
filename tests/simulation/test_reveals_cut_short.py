"""A secret that was about to be shown when the machine stopped, and that comes back when it may be too late."""

from __future__ import annotations

import pytest

from htlc.executor import Executor
from relayer.simulation.mortal import Death
from relayer.simulation.plan import Window
from relayer.simulation.run import Stage, seeds
from relayer.simulation.world import World

DEALS = 150
LAPSED = "the option could not be used"


class Cut(Executor):
    """Dies when it is about to send the first transaction that shows a secret, `sent` or not, and stays away until
    no guard of that reveal holds any more."""

    sent = False
    cut: dict[str, str]
    player: object

    async def _send(self, work, tx):
        player, world = self.player, self.player.world
        known = world.ledgers[tx.chain].known[tx.txid]
        leg = next((name for name, address in world.addresses.items() if known.leg == address), None)
        ours = world.terms.parties[player.role].hashes.values()
        if leg is None or player.role in self.cut or not known.preimages or not set(ours) - world.public.keys():
            return await super()._send(work, tx)
        self.cut[player.role] = leg
        if self.sent:
            await super()._send(work, tx)
        player._windows.insert(0, Window(world.now, self._vanish(leg, tx), "crash"))
        raise Death

    def _vanish(self, leg, tx):
        """Be away: until when."""
        world = self.player.world
        return world.terms.times[leg] - world.guards.reach(world.terms.legs[leg].chain) + 30


class Sent(Cut):
    sent = True


class Lost(Cut):
    """Its node loses the transaction and the other party gets it. It is back, not knowing that it was sent, after
    the longest outage that it planned for."""

    def _vanish(self, leg, tx):
        self.player.world.shows(tx)
        return self.player.world.now + self.player.world.guards.outage


def world_of(executor: type[Cut], cut: dict[str, str]) -> type[World]:
    class CutWorld(World):
        def make_driver(self, journal, chains, wallets, secret_of, party, *args):
            driver = super().make_driver(journal, chains, wallets, secret_of, party, *args)
            driver._executor.__class__ = executor
            driver._executor.player, driver._executor.cut = party, cut
            return driver

    return CutWorld


def _calm(plan) -> None:
    """No other trouble. A node that takes the secret and neither keeps nor sends it is beyond every rule."""
    for party in plan.parties:
        party.windows, party.deaths, party.restore, party.bad_node = (), {}, None, False


@pytest.mark.parametrize("executor", [Cut, Sent])
def test_nothing_is_lost(executor) -> None:
    """What was stored and never sent is not sent when it is too late; what was sent is claimed all the same. An
    option may lapse: the outage is longer than what the party planned for."""
    cuts = 0
    for seed in seeds(9, DEALS):
        cut: dict[str, str] = {}
        judge = Stage(world_of(executor, cut)).play(seed, alter=_calm, disk=False)
        assert [one for one in judge.failures if LAPSED not in one.detail] == [], (seed, cut)
        cuts += len(cut)
    assert cuts > DEALS // 4


def test_what_a_node_loses_is_shown_again_after_an_outage() -> None:
    cuts = 0
    for seed in seeds(10, DEALS):
        cut: dict[str, str] = {}
        judge = Stage(world_of(Lost, cut)).play(seed, alter=_calm, disk=False)
        assert judge.failures == [], (seed, cut)
        cuts += len(cut)
    assert cuts > DEALS // 4
