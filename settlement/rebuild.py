"""What two parties compare byte for byte: the terms, and every leg rebuilt from them, in a flat form.

The form names each thing that decides where the money can go: chain, asset, amount, salt, every path's
recipient, hashes, signers and time, and what the chain makes of them (address, script, terms hash).
"""

from __future__ import annotations

from collections.abc import Mapping

from chains.legs import Leg
from chains.port import Chain, LegAddress
from htlc.errors import LegMismatch
from htlc.terms import Terms
from settlement.bodies import LegForm
from settlement.errors import TermsMismatch

ABSENT = "absent"


def leg_form(leg: Leg, made: LegAddress) -> dict[str, str]:
    """One leg as texts by field name."""
    form = {
        "chain": leg.chain,
        "asset": leg.asset,
        "amount": str(leg.amount),
        "salt": leg.salt.hex(),
        "paths": ",".join(path.name for path in leg.paths),
        "address": made.address,
        "script": made.script or "",
        "terms_hash": made.terms_hash or "",
    }
    for path in leg.paths:
        form[f"{path.name}.to"] = path.to
        form[f"{path.name}.hashes"] = ",".join(value.hex() for value in path.hashes)
        form[f"{path.name}.signers"] = ",".join(path.signers)
        form[f"{path.name}.after"] = "" if path.after is None else str(path.after)
        if path.quorum is not None:
            form[f"{path.name}.quorum"] = f"{path.quorum.threshold} of {','.join(path.quorum.members)}"
    return form


def leg_forms(legs: Mapping[str, Leg], chains: Mapping[str, Chain]) -> dict[str, dict[str, str]]:
    """All legs of a deal, by name."""
    return {name: leg_form(leg, chains[leg.chain].address(leg)) for name, leg in legs.items()}


def compare_legs(ours: Mapping[str, LegForm], theirs: Mapping[str, LegForm]) -> None:
    """Raise LegMismatch naming the first leg and field in which the other party's legs are not ours."""
    for name in [*ours, *sorted(theirs.keys() - ours.keys())]:
        expected, found = ours.get(name, {}), theirs.get(name, {})
        for field in [*expected, *sorted(found.keys() - expected.keys())]:
            if expected.get(field) != found.get(field):
                raise LegMismatch(name, field, expected.get(field, ABSENT), found.get(field, ABSENT))


def compare_terms(proposed: Terms, found: Terms, role: str) -> None:
    """Raise LegMismatch or TermsMismatch where the accepted terms are not those we proposed as `role`."""
    for name in sorted(proposed.legs.keys() | found.legs.keys()):
        for field in ("chain", "asset", "amount"):
            ours = getattr(proposed.legs.get(name), field, ABSENT)
            theirs = getattr(found.legs.get(name), field, ABSENT)
            if ours != theirs:
                raise LegMismatch(name, field, str(ours), str(theirs))
    for part in ("protocol", "networks", "times", "options", "quorum"):
        _compare(part, getattr(proposed, part), getattr(found, part))
    expected = proposed.to_json()["parties"][role]
    _compare(f"parties.{role}", expected, found.to_json()["parties"].get(role, {}))


def _compare(where: str, expected: object, found: object) -> None:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in sorted(expected.keys() | found.keys()):
            _compare(f"{where}.{name}", expected.get(name, ABSENT), found.get(name, ABSENT))
    elif expected != found:
        raise TermsMismatch(where, str(expected), str(found))
