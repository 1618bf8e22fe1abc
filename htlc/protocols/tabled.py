"""A protocol made of a table of legs and the lines of its ladder: what all such protocols have in common."""

from __future__ import annotations

from collections.abc import Mapping

from chains.legs import Leg
from htlc.protocols import rules
from htlc.protocols.base import Facts, Guards, Line, View
from htlc.protocols.table import Table
from htlc.terms import Terms

BUILT = 1024  # terms whose legs are kept


class TabledProtocol:
    """The part of a `DealProtocol` that follows from its table. Everything is in its arguments; legs are made once
    for the same terms."""

    def __init__(self, table: Table, lines: Mapping[str, tuple[Line, ...]], reveals: tuple[str, ...]) -> None:
        self.name = table.name
        self.roles = table.roles
        self.times = table.times
        self.reveals = reveals
        self._table = table
        self._built: dict[int, tuple[Terms, Table, dict[str, Leg]]] = {}
        self._lines = lines

    def secrets(self, role: str) -> tuple[str, ...]:
        return self._table.secrets(role)

    def keys(self, role: str) -> Mapping[str, str]:
        return self._table.keys(role)

    def funder(self, leg: str) -> str:
        return self._table.leg(leg).funder

    def validate(self, terms: Terms) -> None:
        self._table.validate(terms)

    def legs(self, terms: Terms) -> dict[str, Leg]:
        found = self._built.get(id(terms))
        if found is None or found[0] is not terms or found[1] is not self._table:
            if len(self._built) >= BUILT:
                self._built.clear()
            found = self._built[id(terms)] = (terms, self._table, self._table.build(terms))
        return dict(found[2])

    def recipient_key(self, leg: str, path: str) -> tuple[str, str]:
        return self._table.leg(leg).path(path).to

    def signer_keys(self, leg: str, path: str) -> tuple[tuple[str, str], ...]:
        return self._table.leg(leg).path(path).signers

    @property
    def attested(self) -> tuple[tuple[str, str], ...]:
        return self._table.attested

    def lines(self, role: str) -> tuple[Line, ...]:
        return self._lines[role]

    def check_guards(self, terms: Terms, role: str, guards: Guards, now: int) -> None:
        chains = {name: leg.chain for name, leg in terms.legs.items()}
        for line in self._lines[role]:
            line.check(terms.times, chains, guards, now)

    def derive(self, terms: Terms, facts: Facts) -> View:
        return rules.derive(terms, facts)
