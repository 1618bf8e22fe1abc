"""The fragments of miniscript that our legs need: script, descriptor text, type and witness of each.

Types and malleability: https://bitcoin.sipa.be/miniscript/ ("Correctness", "Malleability"), as Bitcoin Core has
them in `src/script/miniscript.cpp`. A fragment is only ever made by the functions below, so a leg's witness
comes from the same template as its script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from chains.bitcoin.encoding import push, script_number
from chains.bitcoin.transaction import SIGNATURE_BYTES
from chains.legs import PREIMAGE_BYTES

_IF, _NOTIF, _ELSE, _ENDIF, _VERIFY, _IFDUP = b"\x63", b"\x64", b"\x67", b"\x68", b"\x69", b"\x73"
_SIZE, _EQUAL, _EQUALVERIFY, _SHA256 = b"\x82", b"\x87", b"\x88", b"\xa8"
_CHECKSIG, _CHECKSIGVERIFY, _CLTV = b"\xac", b"\xad", b"\xb1"
_CHECKMULTISIG, _CHECKMULTISIGVERIFY = b"\xae", b"\xaf"
_TWINS = {_EQUAL: _EQUALVERIFY, _CHECKSIG: _CHECKSIGVERIFY, _CHECKMULTISIG: _CHECKMULTISIGVERIFY}
_OP_0 = 0x50  # OP_1 to OP_16 follow it


# --- witnesses -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigOf:
    """A signature by this key."""

    key: str


@dataclass(frozen=True, slots=True)
class PreimageOf:
    """The 32 bytes whose SHA-256 is this."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class Choice:
    """The selector of an OP_IF: one, or nothing."""

    first: bool


@dataclass(frozen=True, slots=True)
class NoSig:
    """An empty signature: this key does not sign, and the other branch is taken."""

    key: str


@dataclass(frozen=True, slots=True)
class MemberSig:
    """The signature number `place` of those that members of a quorum give, in the order of its keys."""

    place: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dummy:
    """The empty element that OP_CHECKMULTISIG takes besides (BIP147)."""


Item: TypeAlias = SigOf | PreimageOf | Choice | NoSig | MemberSig | Dummy
Witness: TypeAlias = tuple[Item, ...]  # in the order of the witness: the last is on top of the stack


def item_bytes(item: Item) -> int:
    """Bytes of an item in the witness, with its length."""
    match item:
        case SigOf() | MemberSig():
            return 1 + SIGNATURE_BYTES
        case PreimageOf():
            return 1 + PREIMAGE_BYTES
        case Choice(first=True):
            return 2
        case Choice() | NoSig() | Dummy():
            return 1


def opens(value: bytes, data: bytes) -> bool:
    """Whether `data` is the preimage of the hashlock `value`, and of the one length allowed."""
    return len(data) == PREIMAGE_BYTES and hashlib.sha256(data).digest() == value


# --- fragments -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of miniscript of type B, or V where `verify`.

    paths: the witness that satisfies it, by the name of the policy's path; None stands for every path that goes
    through. The properties are those of the type system that our shapes depend on:
    d: can be dissatisfied; u: leaves exactly 1; s: needs a signature; f: can't be dissatisfied without one;
    e: has one dissatisfaction, which nobody else can alter; m: its satisfactions can't be altered by others.
    """

    text: str
    script: bytes
    paths: Mapping[str | None, Witness]
    keys: frozenset[str]
    verify: bool = False
    d: bool = False
    u: bool = False
    s: bool = False
    f: bool = False
    e: bool = False
    m: bool = True
    tail: bool = False  # the last byte is an opcode that has a VERIFY twin

    @property
    def sane(self) -> bool:
        """What a descriptor wallet demands of a whole script, besides distinct keys and one kind of time."""
        return not self.verify and self.s and self.m

    @property
    def dissatisfaction(self) -> Witness:
        """Of a lone signature, the only thing that is ever dissatisfied here."""
        (key,) = self.keys
        return (NoSig(key),)


def pk(key: str) -> Fragment:
    """A signature by `key`."""
    return Fragment(
        text=f"pk({key})",
        script=push(bytes.fromhex(key)) + _CHECKSIG,
        paths={None: (SigOf(key),)},
        keys=frozenset((key,)),
        d=True,
        u=True,
        s=True,
        e=True,
        tail=True,
    )


def multi(threshold: int, keys: tuple[str, ...]) -> Fragment:
    """Signatures by `threshold` of up to 16 keys, in their order."""
    pushes = b"".join(push(bytes.fromhex(key)) for key in keys)
    return Fragment(
        text=f"multi({threshold},{','.join(keys)})",
        script=bytes((_OP_0 + threshold,)) + pushes + bytes((_OP_0 + len(keys),)) + _CHECKMULTISIG,
        paths={None: (Dummy(), *(MemberSig(place, keys) for place in range(threshold)))},
        keys=frozenset(keys),
        d=True,
        u=True,
        s=True,
        e=True,
        tail=True,
    )


def sha256(value: bytes) -> Fragment:
    """The preimage of a hash, of exactly 32 bytes (SIZE <32> EQUALVERIFY is part of the fragment)."""
    size = _SIZE + b"\x01" + bytes((PREIMAGE_BYTES,)) + _EQUALVERIFY
    return Fragment(
        text=f"sha256({value.hex()})",
        script=size + _SHA256 + push(value) + _EQUAL,
        paths={None: (PreimageOf(value),)},
        keys=frozenset(),
        d=True,
        u=True,
        tail=True,
    )


def after(time: int) -> Fragment:
    """Not before a time (BIP65)."""
    return Fragment(
        text=f"after({time})",
        script=script_number(time) + _CLTV,
        paths={None: ()},
        keys=frozenset(),
        f=True,
    )


def verify(x: Fragment) -> Fragment:
    """v:X, which leaves nothing on the stack."""
    last = x.script[-1:]
    script = x.script[:-1] + _TWINS[last] if x.tail else x.script + _VERIFY
    return Fragment(
        text=f"v:{x.text}", script=script, paths=x.paths, keys=x.keys, verify=True, s=x.s, f=True, m=x.m
    )


def and_v(x: Fragment, y: Fragment) -> Fragment:
    """X, which is V, and then Y."""
    _require(x.verify and not y.verify)
    (first,) = x.paths.values()
    return Fragment(
        text=f"and_v({x.text},{y.text})",
        script=x.script + y.script,
        paths={name: witness + first for name, witness in y.paths.items()},
        keys=_distinct(x, y),
        u=y.u,
        s=x.s or y.s,
        f=x.s or y.f,
        m=x.m and y.m,
        tail=y.tail,
    )


def or_i(x: Fragment, z: Fragment) -> Fragment:
    """X or Z, as the selector says."""
    _require(not x.verify and not z.verify)
    return Fragment(
        text=f"or_i({x.text},{z.text})",
        script=_IF + x.script + _ELSE + z.script + _ENDIF,
        paths={
            **{name: (*witness, Choice(first=True)) for name, witness in x.paths.items()},
            **{name: (*witness, Choice(first=False)) for name, witness in z.paths.items()},
        },
        keys=_distinct(x, z),
        d=x.d or z.d,
        u=x.u and z.u,
        s=x.s and z.s,
        f=x.f and z.f,
        e=(x.e and z.f) or (x.f and z.e),
        m=x.m and z.m and (x.s or z.s),
    )


def or_d(x: Fragment, z: Fragment, name: str) -> Fragment:
    """The signature X, which is the path `name`, or else Z."""
    _require(x.d and x.u and not z.verify)
    (first,) = x.paths.values()
    return Fragment(
        text=f"or_d({x.text},{z.text})",
        script=x.script + _IFDUP + _NOTIF + z.script + _ENDIF,
        paths={name: first, **_past(x, z)},
        keys=_distinct(x, z),
        d=z.d,
        u=z.u,
        s=x.s and z.s,
        f=z.f,
        e=z.e,
        m=x.m and z.m and x.e and (x.s or z.s),
    )


def andor(x: Fragment, y: Fragment, z: Fragment) -> Fragment:
    """The signature X and Y, or else Z."""
    _require(x.d and x.u and not y.verify and not z.verify)
    (first,) = x.paths.values()
    return Fragment(
        text=f"andor({x.text},{y.text},{z.text})",
        script=x.script + _NOTIF + z.script + _ELSE + y.script + _ENDIF,
        paths={**{name: witness + first for name, witness in y.paths.items()}, **_past(x, z)},
        keys=_distinct(x, y, z),
        d=z.d,
        u=y.u and z.u,
        s=z.s and (x.s or y.s),
        f=z.f and (x.s or y.f),
        e=z.e and (x.s or y.f),
        m=x.m and y.m and z.m and x.e and (x.s or y.s or z.s),
    )


def _past(x: Fragment, z: Fragment) -> dict[str | None, Witness]:
    """Z's witnesses behind a dissatisfied X."""
    return {name: witness + x.dissatisfaction for name, witness in z.paths.items()}


def _distinct(*parts: Fragment) -> frozenset[str]:
    """The keys of all parts, which the caller has made sure are distinct."""
    keys = frozenset[str]().union(*(part.keys for part in parts))
    _require(len(keys) == sum(len(part.keys) for part in parts))
    return keys


def _require(condition: bool) -> None:
    """The compiler keeps to the type system; a fragment that does not must never become an address."""
    if not condition:
        raise ValueError("these fragments do not fit together")


def named(x: Fragment, name: str) -> Fragment:
    """The same fragment, whose one witness is that of the path `name`."""
    (witness,) = x.paths.values()
    return Fragment(
        text=x.text,
        script=x.script,
        paths={name: witness},
        keys=x.keys,
        verify=x.verify,
        d=x.d,
        u=x.u,
        s=x.s,
        f=x.f,
        e=x.e,
        m=x.m,
        tail=x.tail,
    )
