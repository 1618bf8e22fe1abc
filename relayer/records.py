"""Deals from the chains alone: every record that our wallets wrote, read with the seed."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from chains.extras import Inscribes
from chains.port import Chain, Wallet
from htlc.ports import Deal
from settlement.errors import BadRecord, WrongChain
from settlement.policy import Risk
from settlement.record import read_record
from settlement.seed import Seed

log = structlog.get_logger(__name__)


async def recorded(
    chains: Mapping[str, Chain], wallets: Mapping[str, Wallet], seed: Seed, risk: Risk, since: int
) -> list[Deal]:
    """The deals that are recorded on the chains from UNIX time `since` on. A record that can't be used, such as of
    a chain that was configured once, is said in the log and costs the others nothing. Raises ChainUnavailable,
    UnsupportedChain where a node does not have the blocks."""
    found: dict[str, Deal] = {}
    for name, wallet in wallets.items():
        if not isinstance(wallet, Inscribes):
            continue
        for box in await wallet.inscriptions(since):
            try:
                deal = read_record(box, seed, chains, wallets, risk, name)
            except (BadRecord, WrongChain) as error:
                log.error("a record is left out", chain=name, reason=str(error))
                continue
            if deal is None:
                log.info("no record of ours", chain=name, size=len(box))
            else:
                found[deal.id] = deal
    return list(found.values())
