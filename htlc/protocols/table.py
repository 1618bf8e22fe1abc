"""A protocol's legs as one table, from which its legs are built, verified and explained.

What is declared once can't differ between the side that builds a leg and the side that checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from chains.errors import LegError
from chains.legs import Leg, Path
from chains.quorum import deal_quorum, threshold_of
from htlc.errors import MalformedTerms
from htlc.terms import Terms

Label = tuple[str, str]  # (role, label) of a key or a secret


@dataclass(frozen=True, slots=True)
class PathRow:
    """A path of a leg. to and signers: keys. hashes: secrets whose preimages it wants, in this order. timed: it
    opens at the leg's own time. optional: only where the terms say `releases: yes`. attested: the quorum of the
    terms must sign it."""

    name: str
    to: Label
    hashes: tuple[Label, ...] = ()
    signers: tuple[Label, ...] = ()
    timed: bool = False
    optional: bool = False
    attested: bool = False


@dataclass(frozen=True, slots=True)
class LegRow:
    """A leg: who funds it, and its paths in their fixed order. Its time, where a path is timed, has its
    name."""

    name: str
    funder: str
    paths: tuple[PathRow, ...]

    def path(self, name: str) -> PathRow:
        for path in self.paths:
            if path.name == name:
                return path
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Table:
    """A protocol's fixed parts. roles: the first funder first. times: names in the order they must have.
    options: allowed values by name."""

    name: str
    roles: tuple[str, str]
    legs: tuple[LegRow, ...]
    times: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]

    def leg(self, name: str) -> LegRow:
        for leg in self.legs:
            if leg.name == name:
                return leg
        raise KeyError(name)

    def secrets(self, role: str) -> tuple[str, ...]:
        """Labels of a role's secrets."""
        used = {label for leg in self.legs for path in leg.paths for label in path.hashes}
        return tuple(sorted(label for owner, label in used if owner == role))

    def keys(self, role: str) -> dict[str, str]:
        """A role's key labels, each with the leg it is for."""
        return {
            label: leg.name
            for leg in self.legs
            for path in leg.paths
            for owner, label in (path.to, *path.signers)
            if owner == role
        }

    def build(self, terms: Terms) -> dict[str, Leg]:
        """Every leg of the terms, by name."""
        return {row.name: _build_leg(terms, row) for row in self.legs}

    def validate(self, terms: Terms) -> None:
        """Raise MalformedTerms unless the terms have exactly this table's parts, in order and distinct."""
        if terms.protocol != self.name:
            raise MalformedTerms("protocol", f"it is {terms.protocol!r}, not {self.name!r}")
        _same_names("legs", terms.legs, {leg.name for leg in self.legs})
        _same_names("times", terms.times, set(self.times))
        _same_names("options", terms.options, set(self.options))
        _same_names("parties", terms.parties, set(self.roles))
        _same_names("networks", terms.networks, {leg.chain for leg in terms.legs.values()})
        for role in self.roles:
            _same_names(f"parties.{role}.hashes", terms.parties[role].hashes, set(self.secrets(role)))
            _same_names(f"parties.{role}.keys", terms.parties[role].keys, set(self.keys(role)))
        for name, allowed in self.options.items():
            if terms.options[name] not in allowed:
                raise MalformedTerms(f"options.{name}", f"it must be one of {', '.join(allowed)}")
        self._check_quorum(terms)
        _check_order(terms, self.times)
        _check_distinct(terms)

    @property
    def attested(self) -> tuple[tuple[str, str], ...]:
        """(leg, path) of the paths that a quorum must sign."""
        return tuple((leg.name, path.name) for leg in self.legs for path in leg.paths if path.attested)

    def _check_quorum(self, terms: Terms) -> None:
        """The terms have a quorum where this table needs one: of the size that its members give, and written in
        one way only."""
        quorum = terms.quorum
        if not self.attested or quorum is None:
            if (quorum is None) == bool(self.attested):
                raise MalformedTerms("quorum", "it is missing" if self.attested else "this protocol has none")
            return
        if quorum.threshold != threshold_of(len(quorum.members)):
            needed = f"{threshold_of(len(quorum.members))} of {len(quorum.members)}"
            raise MalformedTerms("quorum.threshold", f"it must be more than two thirds: {needed}")
        if list(quorum.members) != sorted(quorum.members):
            raise MalformedTerms("quorum.members", "they must be in order")
        try:
            quorum.check()
            deal_quorum(quorum, bytes(32))
        except LegError as error:
            raise MalformedTerms("quorum", str(error)) from error


def _build_leg(terms: Terms, row: LegRow) -> Leg:
    leg = terms.legs[row.name]
    quorum = terms.quorum and deal_quorum(terms.quorum, terms.digest)
    paths = tuple(
        Path(
            name=path.name,
            to=terms.key(*path.to),
            hashes=tuple(terms.hash(*label) for label in path.hashes),
            signers=tuple(terms.key(*label) for label in path.signers),
            after=terms.times[row.name] if path.timed else None,
            quorum=quorum if path.attested else None,
        )
        for path in row.paths
        if not path.optional or terms.options["releases"] == "yes"
    )
    return Leg(leg.chain, leg.asset, leg.amount, terms.salt(row.name), paths)


def _same_names(where: str, found: Mapping[str, object], wanted: set[str]) -> None:
    for name in sorted(wanted - found.keys()):
        raise MalformedTerms(f"{where}.{name}", "it is missing")
    for name in sorted(found.keys() - wanted):
        raise MalformedTerms(f"{where}.{name}", "there is no such field in this protocol")


def _check_order(terms: Terms, order: tuple[str, ...]) -> None:
    for earlier, later in pairwise(order):
        if terms.times[later] <= terms.times[earlier]:
            raise MalformedTerms(f"times.{later}", f"it must be after times.{earlier}")


def _check_distinct(terms: Terms) -> None:
    """Equal nonces repeat salts and secrets; equal hashes make one reveal open two locks; equal identities make
    one party sign for both."""
    hashes = [(f"{r}.hashes.{n}", h) for r, p in terms.parties.items() for n, h in p.hashes.items()]
    nonces = [(f"{r}.nonce", p.nonce) for r, p in terms.parties.items()]
    identities = [(f"{r}.identity", p.identity.encode()) for r, p in terms.parties.items()]
    for values in (hashes, nonces, identities):
        seen: dict[bytes, str] = {}
        for where, value in values:
            if value in seen:
                raise MalformedTerms(f"parties.{where}", f"it is the same as parties.{seen[value]}")
            seen[value] = where
