"""Signed messages between parties: canonical JSON under a BIP340 signature.

    {"v": 1, "type": ..., "from": identity, "to": identity, "at": unix, "body": {...}, "sig": hex64}

The signature is over the tagged hash (BIP340) of the canonical JSON of everything but "sig". That hash is the
message's id: whoever signs the same content twice has sent one message. A message that is not byte for byte its
own canonical form is refused, so there is one way to write it and no field is read twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from coincurve import PublicKeyXOnly

from chains import outside_json
from htlc.terms import canonical
from settlement.errors import (
    MalformedMessage,
    NotForUs,
    OversizedMessage,
    OwnIdentity,
    UnsignedMessage,
    UnsupportedMessage,
    WrongSignature,
)
from settlement.seed import Identity

VERSION = 1
TAG = b"strikelock/message/1"
MAX_BYTES = 64 * 1024
MAX_DEPTH = 8  # of objects within objects; a proposal needs six
MAX_TIME = 2**40

_IDENTITY = re.compile(r"[0-9a-f]{64}")
SIGNATURE = re.compile(r"[0-9a-f]{128}")
_FIELDS = {"v", "type", "from", "to", "at", "body"}


class Kind(StrEnum):
    PROPOSAL = "proposal"
    ACCEPTANCE = "acceptance"
    ACKNOWLEDGEMENT = "acknowledgement"
    REFUSAL = "refusal"
    RELEASE = "release"
    RECEIPT = "receipt"
    # around offers: see settlement.quotes
    LISTING = "listing"
    OFFERS = "offers"
    ASK = "ask"
    QUOTE = "quote"
    TAKE = "take"


@dataclass(frozen=True, slots=True)
class Message:
    """A signed message. id: hex of the hash that is signed. at: UNIX seconds, the sender's clock. text: canonical
    JSON, as sent. body: checked for shape by `settlement.bodies`."""

    id: str
    kind: Kind
    sender: str
    recipient: str
    at: int
    body: Mapping[str, Any]
    text: str


def seal(identity: Identity, kind: Kind, recipient: str, body: Mapping[str, Any], at: int) -> Message:
    """Sign a message. Raises OversizedMessage, since nobody would read it."""
    content = {
        "v": VERSION,
        "type": kind.value,
        "from": identity.public,
        "to": recipient,
        "at": at,
        "body": dict(body),
    }
    digest = _digest(content)
    text = canonical({**content, "sig": identity.sign(digest).hex()})
    if len(text) > MAX_BYTES:
        raise OversizedMessage(len(text), MAX_BYTES)
    return Message(digest.hex(), kind, identity.public, recipient, at, body, text.decode())


def unseal(raw: bytes, us: str) -> Message:
    """A message to `us`, its signature checked. Any bytes may be given.

    Raises OversizedMessage, MalformedMessage, UnsupportedMessage, UnsignedMessage, WrongSignature, NotForUs,
    OwnIdentity.
    """
    message = read(raw)
    if message.recipient != us:
        raise NotForUs(message.recipient)
    if message.sender == us:
        raise OwnIdentity(us)
    return message


def read(raw: bytes) -> Message:
    """A message whoever it is for, its signature checked. Raises as `unseal`."""
    data = canonical_object(raw)
    signature = data.pop("sig", None)
    _check_fields(data)
    if signature is None:
        raise UnsignedMessage
    if not isinstance(signature, str) or not SIGNATURE.fullmatch(signature):
        raise MalformedMessage("sig", "it must be 64 bytes in lower-case hex")
    digest = _digest(data)
    if not signed_by(data["from"], signature, digest):
        raise WrongSignature(data["from"])
    kind = Kind(data["type"])
    return Message(digest.hex(), kind, data["from"], data["to"], data["at"], data["body"], raw.decode())


def _digest(content: Mapping[str, Any]) -> bytes:
    return tagged(TAG, content)


def tagged(tag: bytes, content: Mapping[str, Any]) -> bytes:
    """The tagged hash (BIP340) of the canonical JSON of `content`."""
    return hashlib.sha256(hashlib.sha256(tag).digest() * 2 + canonical(content)).digest()


def signed_by(sender: str, signature: str, digest: bytes) -> bool:
    """Whether a signature, in hex, is that of the identity `sender` over a digest."""
    try:
        return bool(PublicKeyXOnly(bytes.fromhex(sender)).verify(bytes.fromhex(signature), digest))
    except ValueError:
        return False  # no point of the curve has this x


# --- parsing ---------------------------------------------------------------------------------------------


def canonical_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, if it is written canonically, is not deep and has no floats. Raises
    OversizedMessage, MalformedMessage."""
    if len(raw) > MAX_BYTES:
        raise OversizedMessage(len(raw), MAX_BYTES)
    try:
        data = outside_json.loads(raw.decode("ascii"), parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("message", "it is not canonical JSON") from error
    if not isinstance(data, dict):
        raise MalformedMessage("message", "it must be an object")
    _check_depth(data)
    if canonical(data) != raw:
        raise MalformedMessage("message", "it is not canonical JSON")
    return data


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} has no place here")


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise MalformedMessage("message", f"it is nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _check_fields(data: Mapping[str, Any]) -> None:
    for name in sorted(_FIELDS - data.keys()):
        raise MalformedMessage(name, "it is missing")
    for name in sorted(data.keys() - _FIELDS):
        raise MalformedMessage("message", f"there is no field {name[:64]!r}")
    version, kind = data["v"], data["type"]
    if type(version) is not int or not isinstance(kind, str):
        raise MalformedMessage("type", "a version is a number and a type is a word")
    if version != VERSION or kind not in {known.value for known in Kind}:
        raise UnsupportedMessage(min(version, MAX_TIME), kind[:64])
    for name in ("from", "to"):
        if not isinstance(data[name], str) or not _IDENTITY.fullmatch(data[name]):
            raise MalformedMessage(name, "an identity is 32 bytes in lower-case hex")
    if type(data["at"]) is not int or not 0 <= data["at"] < MAX_TIME:
        raise MalformedMessage("at", "it must be a UNIX time in whole seconds")
    if not isinstance(data["body"], dict):
        raise MalformedMessage("body", "it must be an object")
