"""Leg files: a leg as JSON, for `leg show`, for recovery and for other people's tools.

    {"chain", "asset", "amount", "salt", "paths": [{"name", "to", "hashes": [hex32], "signers": [...],
    "after", "quorum": {"threshold", "members"}}]}

Amounts are JSON integers in the smallest unit, of any size; `after` is UNIX seconds or null; `quorum` stands only
in a path that has one.
"""

from __future__ import annotations

import re
from typing import Any

from chains import outside_json
from chains.legs import Leg, Path, Quorum
from htlc.errors import MalformedLeg

LONGEST = 64 * 1024  # characters; a leg is a few hundred
MAX_PATHS = 16
MAX_SIGNERS = 16
MAX_DIGITS = 78  # of 2**256

_LEG_FIELDS = {"chain", "asset", "amount", "salt", "paths"}
_PATH_FIELDS = {"name", "to", "hashes", "signers", "after"}
_HEX32 = re.compile(r"[0-9a-f]{64}")


def leg_to_json(leg: Leg) -> dict[str, Any]:
    """The JSON form of a leg."""
    return {
        "chain": leg.chain,
        "asset": leg.asset,
        "amount": leg.amount,
        "salt": leg.salt.hex(),
        "paths": [_path_to_json(path) for path in leg.paths],
    }


def _path_to_json(path: Path) -> dict[str, Any]:
    form: dict[str, Any] = {
        "name": path.name,
        "to": path.to,
        "hashes": [value.hex() for value in path.hashes],
        "signers": list(path.signers),
        "after": path.after,
    }
    if path.quorum is not None:
        form["quorum"] = {"threshold": path.quorum.threshold, "members": list(path.quorum.members)}
    return form


def read_leg(text: str | bytes) -> Leg:
    """A leg from the text of a leg file. Raises MalformedLeg."""
    if len(text) > LONGEST:
        raise MalformedLeg("file", f"it is longer than {LONGEST} characters")
    try:
        data = outside_json.loads(text, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedLeg("file", f"it is not JSON ({error})") from error
    return parse_leg(data)


def parse_leg(data: Any) -> Leg:
    """A leg from its JSON form. Raises MalformedLeg naming the field, or the LegError of a rule that every
    chain shares. What one chain makes of it is `Chain.check`."""
    fields = _object(data, "leg", _LEG_FIELDS)
    leg = Leg(
        chain=_text(fields["chain"], "chain"),
        asset=_text(fields["asset"], "asset"),
        amount=_integer(fields["amount"], "amount"),
        salt=_hex32(fields["salt"], "salt"),
        paths=tuple(
            _path(path, f"paths[{i}]") for i, path in enumerate(_list(fields["paths"], "paths", MAX_PATHS))
        ),
    )
    leg.check()
    return leg


def _path(data: Any, where: str) -> Path:
    has_quorum = isinstance(data, dict) and "quorum" in data
    fields = _object(data, where, _PATH_FIELDS | ({"quorum"} if has_quorum else set()))
    hashes = _list(fields["hashes"], f"{where}.hashes", MAX_SIGNERS)
    signers = _list(fields["signers"], f"{where}.signers", MAX_SIGNERS)
    after = fields["after"]
    return Path(
        name=_text(fields["name"], f"{where}.name"),
        to=_text(fields["to"], f"{where}.to"),
        hashes=tuple(_hex32(value, f"{where}.hashes[{i}]") for i, value in enumerate(hashes)),
        signers=tuple(_text(value, f"{where}.signers[{i}]") for i, value in enumerate(signers)),
        after=None if after is None else _integer(after, f"{where}.after"),
        quorum=_quorum(fields["quorum"], f"{where}.quorum") if has_quorum else None,
    )


def _quorum(data: Any, where: str) -> Quorum:
    fields = _object(data, where, {"threshold", "members"})
    members = _list(fields["members"], f"{where}.members", MAX_SIGNERS)
    return Quorum(
        _integer(fields["threshold"], f"{where}.threshold"),
        tuple(_text(member, f"{where}.members[{i}]") for i, member in enumerate(members)),
    )


# --- parts -----------------------------------------------------------------------------------------------


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a name given twice would mean one thing here and another to other readers."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice in an object")
    return dict(pairs)


def _object(data: Any, where: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise MalformedLeg(where, "it must be an object")
    for name in sorted(names - data.keys()):
        raise MalformedLeg(f"{where}.{name}", "it is missing")
    for name in sorted(map(str, data.keys() - names)):
        raise MalformedLeg(f"{where}.{name}", "there is no such field")
    return data


def _list(value: Any, where: str, longest: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > longest:
        raise MalformedLeg(where, f"it must be a list of at most {longest}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not 0 < len(value) <= 256:
        raise MalformedLeg(where, "it must be a string of 1 to 256 printable ASCII characters")
    return value


def _integer(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**MAX_DIGITS:
        raise MalformedLeg(where, "it must be a whole number")
    return value


def _hex32(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or not _HEX32.fullmatch(value):
        raise MalformedLeg(where, "it must be 32 bytes in lower-case hex")
    return bytes.fromhex(value)
