"""What must hold at each step that an honest party takes, read off the same look that it had."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from chains.legs import NATIVE
from chains.port import LegFacts, SignedTx
from chains.simulated.ledger import SimTx
from htlc.ports import FUND
from htlc.protocols.base import Vow
from relayer.simulation import losses

if TYPE_CHECKING:
    from relayer.simulation.player import Player
    from relayer.simulation.world import World

TOKEN_CAP = 10**17  # of a fee for a token's leg, as the settings' default


class Checks:
    """The invariants of one run that are checked step by step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._judge = world.judge
        self._spoken = world.spoken
        self._terms = world.terms
        self._legs = world.legs
        self._addresses = world.addresses
        self._ledgers = world.ledgers
        self._guards = world.guards

    def _depth(self, leg: str) -> int:
        return self._guards.chains[self._terms.legs[leg].chain].depth

    def _seen(self, player: Player, leg: str) -> LegFacts | None:
        """What a party's last look told it of a leg."""
        seen = player.chains[self._terms.legs[leg].chain].seen
        return seen.legs.get(self._addresses[leg]) if seen is not None else None

    def sending(self, player: Player, tx: SignedTx) -> None:
        """A party is about to broadcast."""
        check = self._judge.check
        known = self._ledgers[tx.chain].known[tx.txid]
        step = player.signed.get(tx.txid)
        check(step is not None, "stored-first", f"{player.role} broadcast {tx.txid[:12]} unstored")
        leg = next((name for name, address in self._addresses.items() if known.leg == address), None)
        if leg is None:
            if any(out[0] in self._addresses.values() for out in known.outs):
                check(not player.was_limited, "limited", f"{player.role} funded after a restore")
                check(Vow.NEVER_FUND not in player.vows, "vows", f"{player.role} funded after its vow")
                self._funding(player, known)
            return
        self._fee_in_bounds(player, leg, tx)
        seen = player.chains[tx.chain].seen
        if known.after is not None:
            clock = seen.tip.time if seen is not None else 0
            check(clock > known.after, "refund-time", f"{player.role} refunded {leg} at {clock} <= {known.after}")
        ours = set(self._terms.parties[player.role].hashes.values()) - self._world.public.keys()
        if any(sha256(preimage).digest() in ours for preimage in known.preimages):
            self._first_reveal(player, leg)

    def _funding(self, player: Player, tx: SimTx) -> None:
        """Who funds second has seen the first leg final, when it signed for the first time."""
        first = next(iter(self._legs))
        paid = {out[0] for out in tx.outs}
        name = next(leg for leg, address in self._addresses.items() if address in paid)
        self._judge.check(self._spoken.funder(name) == player.role, "fund-guard", f"{player.role} funded {name}")
        if self._spoken.attested and name == "strike":
            live = self._world.signed_with(self._terms.hash("writer", "a"))
            self._judge.check(live, "fund-guard", f"{player.role} paid the strike of an option that never lived")
        if name == first or sum(1 for step in player.signed.values() if step == (name, FUND)) > 1:
            return
        if player.rebooted:
            return  # it may send now what it signed when the first leg was there
        facts = self._seen(player, first)
        why = f"{player.role} funded {name} while {first} was {facts}"
        self._judge.check(self._final(first, facts), "fund-guard", why)

    def _final(self, leg: str, facts: LegFacts | None) -> bool:
        full = facts is not None and facts.held >= self._terms.legs[leg].amount
        return full and facts is not None and (facts.full or 0) >= self._depth(leg)

    def signing(self, player: Player, leg: str, path: str) -> None:
        """A party is about to give a release away."""
        check, role = self._judge.check, player.role
        check(not player.was_limited, "limited", f"{role} signed {path} of {leg}")
        kept = Vow.NEVER_REVEAL in player.vows
        if leg == "collateral":
            found = self._seen(player, "premium")
            depth = self._depth("premium")
            never = Vow.NEVER_FUND in player.vows and found is not None and not found.held
            over = found is not None and not found.held and bool(found.spends)
            over = over and all(spend.depth >= depth for spend in found.spends) if found else False
            check(kept and (never or over), "release-guard", f"{role} signed {leg} while the premium was {found}")
        else:
            found = self._seen(player, "collateral")
            depth = self._depth("collateral")
            back = (
                [s for s in found.spends if s.path in ("refund", "release") and s.depth >= depth] if found else []
            )
            check(kept or bool(back), "release-guard", f"{role} signed {leg} while the collateral was {found}")

    def _fee_in_bounds(self, player: Player, leg: str, tx: SignedTx) -> None:
        terms = self._terms.legs[leg]
        cap = terms.amount if terms.asset == NATIVE else TOKEN_CAP
        self._judge.check(tx.fee <= cap, "fee-cap", f"{player.role} pays {tx.fee} for {leg}, at most {cap}")

    def _first_reveal(self, player: Player, leg: str) -> None:
        """Everything that must hold before a secret is shown, read off the same look that the party had."""
        check, role = self._judge.check, player.role
        check(not player.was_limited, "limited", f"{role} revealed first after a restore")
        check(Vow.NEVER_REVEAL not in player.vows, "vows", f"{role} revealed after its vow")
        owed = {"writer": ("collateral", "premium", "strike"), "holder": ("collateral",)}.get(role, (leg,))
        if self._spoken.attested and role == "writer":
            owed = ("collateral", "premium")  # the strike comes later
        if self._spoken.attested and role == "holder":
            held = (leg, "exercise") in player.attested
            check(held, "attested", f"{role} revealed without the quorum's signatures")
        for name in owed:
            facts = self._seen(player, name)
            check(self._final(name, facts), "reveal-guard", f"{role} revealed while {name} was {facts}")
        reach = self._guards.reach(self._terms.legs[leg].chain)
        room = 0 if player.rebooted else self._guards.outage  # what it signed before it may show again
        left = self._terms.times[leg] - reach - room - self._world.now
        check(left >= 0, "reveal-guard", f"{role} revealed {-left:.0f} s too late")

    def attesting(self, member: str) -> None:
        """An honest attester has signed for the first time."""
        facts = self._now("strike")
        why = f"{member[:10]} attested a strike of {facts}"
        self._judge.check(self._final("strike", facts), "attested", why)

    def _now(self, leg: str) -> LegFacts:
        """A leg as the best chain has it."""
        ledger = self._ledgers[self._terms.legs[leg].chain]
        return ledger.facts(self._addresses[leg], self._legs[leg], ledger.height)

    def closing(self, player: Player, outcome: str) -> None:
        """A party is about to close its deal."""
        check = self._judge.check
        for name in self._legs:
            facts = self._now(name)
            ours = self._spoken.funder(name) == player.role
            if ours:
                check(facts.held == 0, "closed-final", f"{player.role} closed, {facts.held} of its own in {name}")
                shallow = [one for one in facts.spends if one.depth < self._depth(name)]
                check(not shallow, "closed-final", f"{player.role} closed, {name} spent at {shallow}")
        for tx in () if player.was_limited else player.flying.values():
            ledger = self._ledgers[tx.chain]
            gone = ledger.known[tx.txid].leg is not None and tx.txid not in ledger.pool  # it pays nobody else
            done = gone or any(claim in ledger.used for claim in tx.claims)
            check(done, "closed-final", f"{player.role} closed while {tx.txid[:12]} could still be mined")
        shown = losses.outcome(self._world)
        check(shown in (None, outcome), "outcome", f"{player.role} says {outcome}, the chains say {shown}")
        self._judge.saw(f"deal {outcome}" if outcome != "forfeited" else "deal forfeited by the other party")
