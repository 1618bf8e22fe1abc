"""Swaps and options to put questions to, with round guards: F = 300, A = 50, L = 100 on both chains, R = 1000."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from coincurve import PrivateKey

from chains.legs import Quorum
from chains.port import LegFacts, Spend
from htlc.protocols.attested import ATTESTED
from htlc.protocols.base import (
    Action,
    ChainGuard,
    DealProtocol,
    Facts,
    Flight,
    Guards,
    Now,
    Stance,
    Vow,
    Will,
)
from htlc.protocols.option import OPTION
from htlc.protocols.swap import SWAP
from htlc.terms import Contribution, LegTerms, Terms
from htlc.timelocks import ladder

NOW = 1_800_000_000
DEPTH = 3
CHAIN = ChainGuard(include=100, reorg=200, depth=DEPTH, lead=50, lag=100)
GUARDS = Guards({"bitcoin": CHAIN, "evm": CHAIN}, outage=1000)
REACH = 350
SHOW = REACH + GUARDS.outage  # left before a deadline when a secret is shown for the first time
SECRETS = {"s": b"s" * 32, "a": b"a" * 32, "e": b"e" * 32}
AMOUNTS = {"x": 1000, "y": 2000, "collateral": 100_000, "premium": 500, "strike": 6000}
CHAINS = {
    "swap": {"x": "bitcoin", "y": "evm"},
    "option": {"collateral": "bitcoin", "premium": "evm", "strike": "evm"},
    "attested": {"collateral": "bitcoin", "premium": "evm", "strike": "evm"},
}
PROTOCOLS = {"swap": SWAP, "option": OPTION, "attested": ATTESTED}
MEMBERS = tuple(sorted(PrivateKey(bytes([i]) * 32).public_key.format().hex() for i in range(1, 5)))
QUORUM = Quorum(3, MEMBERS)


def hashed(label: str) -> bytes:
    return hashlib.sha256(SECRETS[label]).digest()


def contribution(protocol: DealProtocol, role: str) -> Contribution:
    mark = protocol.roles.index(role) + 1
    return Contribution(
        identity=f"{mark:064x}",
        nonce=bytes([mark]) * 16,
        hashes={label: hashed(label) for label in protocol.secrets(role)},
        keys={label: f"key-{role}-{label}" for label in protocol.keys(role)},
    )


def make_terms(name: str, releases: str = "yes", kind: str = "call") -> Terms:
    protocol = PROTOCOLS[name]
    chains = CHAINS[name]
    options = {"swap": {}, "option": {"kind": kind, "releases": releases}, "attested": {"kind": kind}}[name]
    return Terms(
        protocol=name,
        networks={"bitcoin": "bip122:regtest", "evm": "eip155:31337"},
        legs={leg: LegTerms(chain, "native", AMOUNTS[leg]) for leg, chain in chains.items()},
        times=ladder(protocol, chains, GUARDS, NOW, life=0 if name == "swap" else 5000),
        options=options,
        parties={role: contribution(protocol, role) for role in protocol.roles},
        quorum=QUORUM if name == "attested" else None,
    )


SWAP_TERMS = make_terms("swap")
OPTION_TERMS = make_terms("option")
ATTESTED_TERMS = make_terms("attested")


def funded(leg: str, depth: int = DEPTH) -> LegFacts:
    return LegFacts(full=depth, held=AMOUNTS[leg])


def spent(leg: str, path: str, *labels: str, depth: int = DEPTH, held: int = 0) -> LegFacts:
    """A leg spent by a path that showed the secrets of these labels."""
    spend = Spend("aa", path, AMOUNTS[leg], tuple(SECRETS[label] for label in labels), depth)
    return LegFacts(full=DEPTH + depth, held=held, spends=(spend,))


def stance(terms: Terms, role: str, *vows: Vow, will: Will | None = None, **more: object) -> Stance:
    secrets = {value: SECRETS[label] for label, value in terms.parties[role].hashes.items()}
    return replace(
        Stance(role, secrets, will=will or Will(), vows=frozenset(vows)),
        **more,
    )


def plan(
    terms: Terms,
    role: str,
    legs: dict[str, LegFacts],
    *vows: Vow,
    now: int = NOW,
    clock: int | None = None,
    fundings: dict[str, Flight] | None = None,
    known: tuple[str, ...] = (),
    will: Will | None = None,
    **more: object,
) -> tuple[Action, ...]:
    """What a role's plan says, everything else being quiet."""
    protocol = PROTOCOLS[terms.protocol]
    facts = Facts(legs, {hashed(label): SECRETS[label] for label in known}, fundings or {})
    view = protocol.derive(terms, facts)
    clocks = dict.fromkeys(("bitcoin", "evm"), now if clock is None else clock)
    return protocol.plan(terms, view, stance(terms, role, *vows, will=will, **more), Now(now, now, clocks), GUARDS)
