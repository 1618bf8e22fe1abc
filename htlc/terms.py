"""The terms of a deal: everything both parties agreed on, and nothing else.

Equal terms have equal canonical JSON and so an equal id; every leg is rebuilt from them on both sides.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.errors import LegError
from chains.legs import MAX_TIME, MIN_TIME, Quorum, check_hash
from htlc.errors import MalformedTerms

NONCE_BYTES = 16  # each party's own, and the salt of its secrets: a restored backup never repeats one
ID_BYTES = 16
MAX_AMOUNT = 2**256 - 1

_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class LegTerms:
    """What a leg is worth: `amount` of `asset` on `chain`, in the smallest unit."""

    chain: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one party brings into the terms.

    identity: its BIP340 x-only public key, hex. nonce: 16 bytes. hashes: SHA-256 of its secrets, by label.
    keys: its public keys or addresses, by label.
    """

    identity: str
    nonce: bytes
    hashes: Mapping[str, bytes]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Terms:
    """protocol: its name. networks: CAIP-2 identity (with the factory on EVM) by chain name. legs: by leg name.
    times: absolute UNIX seconds by name. options: the protocol's own switches. parties: by role. quorum: where the
    protocol has one, its members by their own keys; those in the legs are made from them (`chains.quorum`)."""

    protocol: str
    networks: Mapping[str, str]
    legs: Mapping[str, LegTerms]
    times: Mapping[str, int]
    options: Mapping[str, str]
    parties: Mapping[str, Contribution]
    quorum: Quorum | None = None
    _digest: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The JSON form. Amounts are decimal strings: a uint256 does not survive a JSON number everywhere."""
        form = {
            "protocol": self.protocol,
            "networks": dict(self.networks),
            "legs": {
                name: {"chain": leg.chain, "asset": leg.asset, "amount": str(leg.amount)}
                for name, leg in self.legs.items()
            },
            "times": dict(self.times),
            "options": dict(self.options),
            "parties": {role: contribution_to_json(party) for role, party in self.parties.items()},
        }
        if self.quorum is not None:  # terms without one read, and hash, as they did before there were any
            form["quorum"] = {"threshold": self.quorum.threshold, "members": list(self.quorum.members)}
        return form

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON. It is asked for again and again, and made once."""
        if not self._digest:
            self._digest.append(hashlib.sha256(canonical(self.to_json())).digest())
        return self._digest[0]

    @property
    def id(self) -> str:
        """The deal's id: the first 16 bytes of the digest, hex."""
        return self.digest[:ID_BYTES].hex()

    def salt(self, leg: str) -> bytes:
        """A leg's salt. Both parties' nonces are in it, so neither can choose an address alone."""
        nonces = b"".join(self.parties[role].nonce for role in sorted(self.parties))
        return hashlib.sha256(b"strikelock/salt/1" + nonces + leg.encode()).digest()

    def key(self, role: str, label: str) -> str:
        return self.parties[role].keys[label]

    def hash(self, role: str, label: str) -> bytes:
        return self.parties[role].hashes[label]


def canonical(data: Any) -> bytes:
    """Canonical JSON: sorted keys, no white space, ASCII. Floats have no place in it (ValueError)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def contribution_to_json(party: Contribution) -> dict[str, Any]:
    return {
        "identity": party.identity,
        "nonce": party.nonce.hex(),
        "hashes": {label: value.hex() for label, value in party.hashes.items()},
        "keys": dict(party.keys),
    }


# --- parsing: whatever comes from outside goes through here ----------------------------------------------


def parse_terms(data: Any) -> Terms:
    """Terms from their JSON form. Raises MalformedTerms naming the field; unknown fields are refused.

    Only the shape is checked here. What a protocol, a chain and this party's guards make of it comes after.
    """
    needed = {"protocol", "networks", "legs", "times", "options", "parties"}
    top = _object(data, "terms", needed | ({"quorum"} & set(_map(data, "terms"))))
    return Terms(
        protocol=_word(top["protocol"], "protocol"),
        networks=_text_map(top["networks"], "networks"),
        legs={name: _leg(leg, f"legs.{name}") for name, leg in _map(top["legs"], "legs").items()},
        times={name: _time(time, f"times.{name}") for name, time in _map(top["times"], "times").items()},
        options=_text_map(top["options"], "options"),
        parties={
            role: parse_contribution(party, f"parties.{role}")
            for role, party in _map(top["parties"], "parties").items()
        },
        quorum=_quorum(top["quorum"]) if "quorum" in top else None,
    )


def parse_contribution(data: Any, where: str) -> Contribution:
    """A party's contribution from its JSON form. Raises MalformedTerms."""
    fields = _object(data, where, {"identity", "nonce", "hashes", "keys"})
    hashes = _map(fields["hashes"], f"{where}.hashes")
    return Contribution(
        identity=_hex(fields["identity"], f"{where}.identity", 32).hex(),
        nonce=_hex(fields["nonce"], f"{where}.nonce", NONCE_BYTES),
        hashes={label: _hash(value, f"{where}.hashes.{label}") for label, value in hashes.items()},
        keys=_text_map(fields["keys"], f"{where}.keys"),
    )


def _quorum(data: Any) -> Quorum:
    fields = _object(data, "quorum", {"threshold", "members"})
    threshold, members = fields["threshold"], fields["members"]
    if type(threshold) is not int:
        raise MalformedTerms("quorum.threshold", "it must be a whole number")
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise MalformedTerms("quorum.members", "it must be a list of keys")
    quorum = Quorum(threshold, tuple(members))
    try:
        quorum.check()
    except LegError as error:
        raise MalformedTerms("quorum", str(error)) from error
    return quorum


def _leg(data: Any, where: str) -> LegTerms:
    fields = _object(data, where, {"chain", "asset", "amount"})
    return LegTerms(
        chain=_word(fields["chain"], f"{where}.chain"),
        asset=_text(fields["asset"], f"{where}.asset"),
        amount=parse_amount(fields["amount"], f"{where}.amount"),
    )


def parse_amount(value: Any, where: str) -> int:
    """A positive amount from its decimal string. Raises MalformedTerms."""
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,77}", value):
        raise MalformedTerms(where, "it must be a positive whole number, written as a string of digits")
    amount = int(value)
    if amount > MAX_AMOUNT:
        raise MalformedTerms(where, "it is above 2**256 - 1")
    return amount


def _object(data: Any, where: str, names: set[str]) -> dict[str, Any]:
    fields = _map(data, where)
    for name in sorted(names - fields.keys()):
        raise MalformedTerms(f"{where}.{name}", "it is missing")
    for name in sorted(fields.keys() - names):
        raise MalformedTerms(f"{where}.{name}", "there is no such field")
    return fields


def _map(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise MalformedTerms(where, "it must be an object")
    for name in data:
        _word(name, where)
    return data


def _text_map(data: Any, where: str) -> dict[str, str]:
    return {name: _text(value, f"{where}.{name}") for name, value in _map(data, where).items()}


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not 0 < len(value) <= 256:
        raise MalformedTerms(where, "it must be a string of 1 to 256 printable ASCII characters")
    return value


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise MalformedTerms(where, "a name has 1 to 64 characters of a-z, 0-9, dot, dash and underscore")
    return value


def _hex(value: Any, where: str, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise MalformedTerms(where, f"it must be {size} bytes in lower-case hex")
    return bytes.fromhex(value)


def _hash(value: Any, where: str) -> bytes:
    result = _hex(value, where, 32)
    try:
        check_hash(result)
    except LegError as error:
        raise MalformedTerms(where, str(error)) from error
    return result


def _time(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not MIN_TIME <= value <= MAX_TIME:
        raise MalformedTerms(where, f"a time is a whole number of UNIX seconds from {MIN_TIME} to {MAX_TIME}")
    return value
