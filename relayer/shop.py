"""A party's shop, from its configuration: limits, deadlines and prices of what it offers."""

from __future__ import annotations

from collections.abc import Mapping

from chains.port import Chain
from htlc.protocols import protocol
from htlc.timelocks import guards as guards_of
from htlc.timelocks import ladder
from relayer.prices import FilePrices, place_of
from relayer.settings import Settings
from settlement.agreement import Agreement
from settlement.limits import Limits
from settlement.recorder import record_chain
from settlement.shop import Ladder, Shop


def open_shop(settings: Settings, chains: Mapping[str, Chain], agreement: Agreement) -> Shop:
    """The shop of a party. Raises BadRequest, BadAsset for names of assets that no chain of ours has."""
    return Shop(agreement, limits(settings, chains), _shop_ladder(settings, chains), FilePrices(settings, chains))


def limits(settings: Settings, chains: Mapping[str, Chain]) -> Limits:
    """How far a party lets takers of its offers go."""
    found = settings.offers
    return Limits(
        peers=frozenset(found.peers) or None,
        quote=found.quote,
        answer=found.answer,
        cooldown=found.cooldown,
        spot_age=found.spot_age,
        per_peer=found.takings_per_peer,
        total=found.takings,
        locked_per_peer=_by_asset(found.locked_per_peer, chains),
        locked=_by_asset(found.locked, chains),
    )


def _by_asset(amounts: Mapping[str, int], chains: Mapping[str, Chain]) -> dict[str, int]:
    """Amounts by "chain/asset" as terms name the asset. Raises BadAsset."""
    return {str(place_of(name, chains)): amount for name, amount in amounts.items()}


def shortest_ladder(
    settings: Settings,
    chains: Mapping[str, Chain],
    name: str,
    legs: Mapping[str, str],
    now: int,
    life: int,
    more: int = 0,
    backup: str | None = None,
) -> dict[str, int]:
    """The shortest deadlines that are safe for both roles of a protocol. legs: chain by leg name. more: seconds
    that pass before the parties agree. backup: how a deal is backed up; a record on a chain takes its time."""
    timings = {chain: chains[chain].timing for chain in legs.values()}
    guards = guards_of(timings, settings.risk.outage, settings.risk.miss)
    slack = 2 * settings.risk.outage + more
    if (backup or settings.backup.mode) == "chain":
        slack += guards.chains[record_chain(timings, chains)].final
    return ladder(protocol(name), legs, guards, now, life, slack)


def _shop_ladder(settings: Settings, chains: Mapping[str, Chain]) -> Ladder:
    """Deadlines of what is quoted, with room for it to be taken and answered."""

    def found(name: str, legs: Mapping[str, str], now: int, life: int) -> dict[str, int]:
        return shortest_ladder(
            settings, chains, name, legs, now, life, settings.offers.quote + settings.offers.answer
        )

    return found
