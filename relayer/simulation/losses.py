"""What a run came to, read off the chains and off nothing that a plan says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.port import LegFacts
from htlc.ports import CANCEL
from htlc.protocols.base import Facts
from htlc.protocols.rules import derive

if TYPE_CHECKING:
    from relayer.simulation.player import Player
    from relayer.simulation.world import World

LAST_BLOCKS = 2


def facts(world: World) -> dict[str, LegFacts]:
    """Every leg as the best chain has it."""
    found = {}
    for name, leg in world.legs.items():
        ledger = world.ledgers[leg.chain]
        found[name] = ledger.facts(world.addresses[name], leg, ledger.height)
    return found


def outcome(world: World) -> str | None:
    """What the protocol makes of the chains now; None while legs stand."""
    return world.spoken.outcome(world.terms, derive(world.terms, Facts(facts(world))))


def taken(world: World) -> dict[str, str]:
    """The path that each full leg was spent by; "" where it was not."""
    found = {}
    for name, shown in facts(world).items():
        whole = [s for s in shown.spends if s.amount >= world.terms.legs[name].amount and s.depth > 0]
        found[name] = (whole[0].path or "") if whole else ""
    return found


def settle(world: World) -> None:
    """Losses of honest parties, margins, and what can be said only in the end."""
    spent = taken(world)
    for player in world.players:
        lost = loss(world, player, spent)
        if lost is not None:
            reason, leg = lost
            if player.was_limited:
                world.judge.saw("a restored party forfeited something")
            else:
                world.judge.lost += world.terms.legs[leg].amount
                world.judge.fail("no-loss", f"{player.role}: {reason}")
        _fundings(world, player)
    _spends(world)
    _books(world)


def loss(world: World, player: Player, spent: dict[str, str]) -> tuple[str, str] | None:
    """Why an honest party lost, and the leg that it lost."""
    match player.role:
        case "initiator" if spent["x"] == "claim" and spent["y"] != "claim":
            return "x was claimed and y was not", "y"
        case "participant" if spent["y"] == "claim" and spent["x"] != "claim":
            return "y was claimed and x was not", "x"
        case "writer":
            return _writer(world, spent)
        case "holder":
            return _holder(world, player, spent)
    return None


def _writer(world: World, spent: dict[str, str]) -> tuple[str, str] | None:
    if spent["collateral"] == "exercise" and spent["strike"] != "exercise":
        return "the collateral was taken and the strike was not paid", "strike"
    if world.terms.hash("writer", "a") in world.public and spent["premium"] != "activate":
        return "the option was given away: a is public and the premium was not paid", "premium"
    return None


def _holder(world: World, player: Player, spent: dict[str, str]) -> tuple[str, str] | None:
    if spent["strike"] == "exercise" and spent["collateral"] != "exercise":
        return "the strike was taken and the collateral was not delivered", "collateral"
    if spent["premium"] != "activate" or spent["collateral"] == "exercise":
        return None
    wanted = player.plan.will.exercise and not player.plan.wishes
    if world.plan.quorum is not None and not world.plan.quorum.able:
        return None  # that is what a holder relies on the quorum for
    return ("the premium was taken and the option could not be used", "premium") if wanted else None


def _fundings(world: World, player: Player) -> None:
    """No leg was paid twice by one party."""
    for txid, (leg, step) in player.signed.items():
        if step == CANCEL and txid in world.ledgers[world.terms.legs[leg].chain].mined:
            world.judge.saw("a funding was cancelled")
    for name, address in world.addresses.items():
        ledger = world.ledgers[world.terms.legs[name].chain]
        deposits = [event for event in ledger.history.get(address, ()) if not event.spent]
        own = [event for event in deposits if ledger.known[event.txid].owner == player.owner]
        world.judge.check(len(own) <= 1, "funded-once", f"{player.role} paid {name} {len(own)} times")
        if world.spoken.funder(name) != player.role:
            world.judge.check(not own, "funded-once", f"{player.role} paid {name}, which is not its own")


def _spends(world: World) -> None:
    for name, shown in facts(world).items():
        events = world.ledgers[world.terms.legs[name].chain].history.get(world.addresses[name], ())
        came = sum(event.amount for event in events if not event.spent)
        left = sum(spend.amount for spend in shown.spends if spend.depth > 0)
        world.judge.check(left <= came, "spent-once", f"{left} left {name}, {came} came to it")
        whole = [spend for spend in shown.spends if spend.depth > 0]
        if any(spend.path == "release" for spend in whole):
            world.judge.saw("a release was used")


def _books(world: World) -> None:
    """Margins and coverage that blocks tell."""
    owners = {player.owner for player in world.players if not player.was_limited}
    decided = {}
    for name, shown in facts(world).items():
        whole = [one.txid for one in shown.spends if one.depth and one.amount >= world.terms.legs[name].amount]
        decided[name] = whole[0] if whole else ""
    names = {address: name for name, address in world.addresses.items()}
    for ledger in world.ledgers.values():
        span = ledger.spec.timing.median_span > 1
        for height, body in ledger.bodies.items():
            clock = ledger.clock(height - 1 if span else height)
            for tx in body:
                if tx.leg is None or tx.path is None:
                    continue
                left = world.terms.times[names[tx.leg]] - clock
                soon = abs(left) <= LAST_BLOCKS * ledger.spec.timing.interval
                claim = bool(tx.preimages) and decided[names[tx.leg]] == tx.txid
                _spend_told(world, tx.owner in owners, claim, tx.path.after is not None, left, soon)
        _book(world, ledger)


def _spend_told(world: World, ours: bool, claim: bool, refund: bool, left: float, soon: bool) -> None:
    judge = world.judge
    if claim and ours:
        judge.margined(left)
    if claim and soon:
        by = "a claim was mined in the last blocks before the deadline" if ours else ""
        judge.saw(by or "the other party claimed in the last blocks")
    if refund and soon and not ours:
        judge.saw("the other party refunded at the first possible block")


def _book(world: World, ledger: object) -> None:
    book, market = ledger.book, ledger.market  # type: ignore[attr-defined]
    for event, number in (
        ("a replacement won", book.replaced),
        ("a vault spend reverted", book.reverts),
        ("a transaction was censored", book.censored),
        ("a funding was kept out of blocks", book.shut),
        ("a fee spike", market.spikes),
    ):
        if number:
            world.judge.saw(event)
    if book.censored:
        world.judge.faults["censored"] += book.censored
    if market.spikes:
        world.judge.faults["fee spike"] += market.spikes
