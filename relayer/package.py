"""What a party hands to a watchtower for one deal: its descriptor, and spends that it signed ahead.

A package holds no secret and no key. Where anybody may push a path (EVM), the descriptor is enough, since the
terms fix who is paid. Where the recipient must sign (UTXO chains), the owner signs each of its own spends
beforehand, at a ladder of prices, to an address of its own; a tower can send one of them or not, and change
nothing in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from chains.errors import NothingToSpend
from chains.extras import Completes, Presigned, Presigns
from chains.legs import Leg
from chains.port import Chain, Key, SignedTx, Wallet
from htlc.ports import Deal
from htlc.protocols import protocol
from relayer.errors import BadPackage
from settlement.backup import Descriptor, check_chains, describe, read_descriptor
from settlement.seed import Identity

FORM = "strikelock-tower/1"  # a form that was released is read for ever
SUFFIX = ".tower.json"
MAX_BYTES = 1024 * 1024
MOST_SPENDS = 500
RUNGS = 12  # of a ladder; each bids twice the one below
TOP_PERMILLE = 100  # of what the leg holds: the most a tower could burn by sending the dearest

Rungs = Mapping[tuple[str, str], tuple[tuple[SignedTx, Presigned], ...]]  # by leg and path, cheapest first


@dataclass(frozen=True, slots=True)
class Package:
    """spends: by leg name. missing: (leg, path) that can't be signed yet, since nothing stands at the leg."""

    descriptor: Descriptor
    spends: tuple[tuple[str, Presigned], ...]
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def deal(self) -> Deal:
        return self.descriptor.deal

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.deal.id}-{self.deal.role}{SUFFIX}"

    def text(self) -> str:
        """The document."""
        spends = [{"leg": leg, **asdict(spend)} for leg, spend in self.spends]
        body = {"form": FORM, "descriptor": json.loads(self.descriptor.text), "spends": spends}
        return json.dumps(body, indent=1, sort_keys=True) + "\n"


# --- the owner's side ------------------------------------------------------------------------------------


async def make_package(
    deal: Deal, identity: Identity, chains: Mapping[str, Chain], wallets: Mapping[str, Wallet]
) -> Package:
    """The package of a deal of ours as things stand now; look at the chains first. Raises ChainUnavailable."""
    spends: list[tuple[str, Presigned]] = []
    missing: list[tuple[str, str]] = []
    legs = protocol(deal.terms.protocol).legs(deal.terms)
    for name, path, label in own_paths(deal):
        leg = legs[name]
        wallet = wallets[leg.chain]
        if not isinstance(wallet, Presigns):
            continue
        try:
            key = wallets[leg.chain].key(deal.nonce, label)
            spends += [(name, spend) for spend in await _ladder(chains[leg.chain], wallet, leg, path, key)]
        except NothingToSpend:
            missing.append((name, path))
    return Package(describe(deal, identity), tuple(spends), tuple(missing))


async def _ladder(chain: Chain, wallet: Presigns, leg: Leg, path: str, key: Key) -> tuple[Presigned, ...]:
    """From the least that nodes relay, each rung at twice the price, up to the share of the leg that may burn."""
    floor = (await chain.fees()).floor
    rungs = await wallet.presign(leg, path, key, [floor << step for step in range(RUNGS)])
    cheap = [rung for rung in rungs if (rung.held - rung.amount) * 1000 <= rung.held * TOP_PERMILLE]
    return tuple(cheap) or rungs[:1]


def own_paths(deal: Deal) -> Sequence[tuple[str, str, str]]:
    """(leg, path, key label) of each path that pays us and needs nobody else's signature."""
    spoken = protocol(deal.terms.protocol)
    found = []
    for name, leg in spoken.legs(deal.terms).items():
        for path in leg.paths:
            role, label = spoken.recipient_key(name, path.name)
            if role == deal.role and not path.needs_others:
                found.append((name, path.name, label))
    return found


# --- the tower's side ------------------------------------------------------------------------------------


def read_package(raw: bytes, name: str) -> Package:
    """A package from its document. `name` is for messages. Raises BadPackage, BadDescriptor."""
    if len(raw) > MAX_BYTES:
        raise BadPackage(name, f"it is larger than {MAX_BYTES} bytes")
    try:
        body = json.loads(raw)
        if body["form"] != FORM:
            raise BadPackage(name, f"its form is {body['form']!r}, and {FORM!r} is read here")
        spends = tuple(_spend(one) for one in body["spends"])
        descriptor = json.dumps(body["descriptor"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadPackage(name, f"it can't be read ({error!r})") from error
    if len(spends) > MOST_SPENDS:
        raise BadPackage(name, f"it holds more than {MOST_SPENDS} spends")
    return Package(read_descriptor(descriptor.encode(), name), spends)


def _spend(data: dict[str, Any]) -> tuple[str, Presigned]:
    values = {field.name: data[field.name] for field in fields(Presigned)}
    for name, value in values.items():
        if type(value) is not (int if name in ("held", "amount") else str):
            raise TypeError(f"{name} is {value!r}")
    return str(data["leg"]), Presigned(**values)


def check_package(package: Package, chains: Mapping[str, Chain]) -> Rungs:
    """What a tower can send for the deal, every signature checked. Raises WrongChain, LegError, BadPackage,
    BadPresigned."""
    deal = package.deal
    check_chains(deal.terms, chains)
    legs = protocol(deal.terms.protocol).legs(deal.terms)
    for leg in legs.values():
        chains[leg.chain].check(leg)
    allowed = {(leg, path) for leg, path, _ in own_paths(deal)}
    found: dict[tuple[str, str], list[tuple[SignedTx, Presigned]]] = {}
    for name, spend in package.spends:
        if (name, spend.path) not in allowed:
            raise BadPackage(deal.id, f"path {spend.path!r} of leg {name!r} does not pay the {deal.role}")
        chain = chains[legs[name].chain]
        if not isinstance(chain, Completes):
            raise BadPackage(deal.id, f"chain {chain.name} takes no signed spends")
        tx = chain.complete(legs[name], spend)
        found.setdefault((name, spend.path), []).append((tx, spend))
    return {key: tuple(sorted(rungs, key=lambda rung: rung[0].price)) for key, rungs in found.items()}
