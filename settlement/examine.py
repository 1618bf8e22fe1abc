"""Every check that terms must pass before this party agrees to them. Nothing is changed by any of it.

A reused hash may have a public preimage, a leg that a chain can't hold is lost money, a ladder too tight for our
own outages is a free gift: each has its error.
"""

from __future__ import annotations

from collections.abc import Mapping

from chains.errors import BadAsset, Dust
from chains.legs import NATIVE, Leg
from chains.port import Chain
from htlc.errors import HashReused, MalformedTerms, PreimageKnown
from htlc.protocols.base import DealProtocol, Guards
from htlc.terms import Contribution, Terms
from settlement.errors import KeyReused, NonceReused, WrongChain, WrongParty
from settlement.policy import Risk
from settlement.store import Store

NOT_HERE = "not configured"


class Examiner:
    """The checks of one party."""

    def __init__(self, store: Store, chains: Mapping[str, Chain], risk: Risk) -> None:
        self._store = store
        self._chains = chains
        self._risk = risk

    async def examine(
        self,
        protocol: DealProtocol,
        terms: Terms,
        role: str,
        parties: Mapping[str, str],
        guards: Guards,
        now: int,
        origin: str,
    ) -> dict[str, Leg]:
        """Check complete terms for our `role`; the rebuilt legs. parties: the identity each role must have.
        origin: the proposal, in whose name hashes may be used already (by another process of ours).

        Raises a TermsError or LegError naming what is wrong; ChainUnavailable if a node is needed and away.
        """
        check_distinct(terms)
        check_keys(terms)
        legs = await self.rehearse(protocol, terms, role, guards, now)
        for name, identity in parties.items():
            if terms.parties[name].identity != identity:
                raise WrongParty(name, identity, terms.parties[name].identity)
        await self._check_fresh([party for name, party in terms.parties.items() if name != role], origin)
        return legs

    async def rehearse(
        self, protocol: DealProtocol, terms: Terms, role: str, guards: Guards, now: int
    ) -> dict[str, Leg]:
        """The checks of `examine` that do not depend on who the other party is."""
        self.check_networks(terms)
        protocol.validate(terms)
        legs = self._legs(protocol, terms)
        self._risk.check(protocol, terms, role, guards, self._chains, now)
        await self._check_worth(legs)
        return legs

    def check_networks(self, terms: Terms) -> None:
        """Every chain is one of ours, and the same network; every asset is written as we write it."""
        for name, theirs in terms.networks.items():
            ours = self._chains[name].identity if name in self._chains else NOT_HERE
            if ours != theirs:
                raise WrongChain(name, ours, theirs)
        for name, leg in terms.legs.items():
            if leg.chain not in terms.networks:
                raise MalformedTerms(f"legs.{name}.chain", f"{leg.chain!r} is not among the networks")
            if self._chains[leg.chain].asset(leg.asset) != leg.asset:
                raise BadAsset(leg.chain, leg.asset)

    def _legs(self, protocol: DealProtocol, terms: Terms) -> dict[str, Leg]:
        legs = protocol.legs(terms)
        for leg in legs.values():
            leg.check()
            self._chains[leg.chain].check(leg)
        return legs

    async def _check_fresh(self, parties: list[Contribution], origin: str) -> None:
        """The other party's hashes and nonce are new to us, and no preimage of them is public."""
        for party in parties:
            for value in party.hashes.values():
                if await self._store.preimage(value) is not None:
                    raise PreimageKnown(value.hex())
        await self._store.book.check_unused(parties, origin)

    async def _check_worth(self, legs: Mapping[str, Leg]) -> None:
        """Nobody locks coin that costs more to take than it is worth, at what a hurry costs today."""
        coins = [leg for leg in legs.values() if leg.asset == NATIVE]
        prices = {name: (await self._chains[name].fees()).urgent for name in sorted({leg.chain for leg in coins})}
        for leg in coins:
            chain, price = self._chains[leg.chain], prices[leg.chain]
            for path in leg.paths:
                cost = chain.claim_cost(leg, path.name, price)
                if cost >= leg.amount:
                    raise Dust(leg.amount, f"spending it by path {path.name!r} costs {cost}")


def check_distinct(terms: Terms) -> None:
    """Within the terms, no hash and no nonce occurs twice. Raises HashReused, NonceReused."""
    hashes: set[bytes] = set()
    nonces: set[bytes] = set()
    for party in terms.parties.values():
        for value in party.hashes.values():
            if value in hashes:
                raise HashReused(value.hex())
            hashes.add(value)
        if party.nonce in nonces:
            raise NonceReused(party.nonce.hex())
        nonces.add(party.nonce)


def check_keys(terms: Terms) -> None:
    """No key or account is named by both parties. Raises KeyReused."""
    keys = [{key.lower() for key in party.keys.values()} for party in terms.parties.values()]
    for shared in sorted(set.intersection(*keys)) if len(keys) > 1 else []:
        raise KeyReused(shared)
