"""Sets of signers and what they sign: the twin of contracts/src/Quorum.sol and of the inbox's checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import coincurve

from chains.evm.codec import address_bytes, checksum_address, keccak256, word
from chains.evm.messaging.errors import BadMembers, TooFewSignatures
from chains.evm.messaging.message import Lane

DOMAIN_TYPE: Final = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
CHECKPOINT_NAME: Final = keccak256(b"Strikelock Checkpoint")
QUORUM_NAME: Final = keccak256(b"Strikelock Quorum")
VERSION: Final = keccak256(b"1")
CHECKPOINT_TYPE: Final = keccak256(b"Checkpoint(uint32 set,bytes32 lane,uint32 count,bytes32 root)")
ROTATION_TYPE: Final = keccak256(b"Rotation(uint32 set,bytes members)")

SIGNATURE_BYTES: Final = 64  # r, then s with y's parity in its highest bit (EIP-2098)
MOST_MEMBERS: Final = 255
HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2
PARITY: Final = 1 << 255


def threshold(n: int) -> int:
    """How many of n members must sign: floor(2n/3) + 1."""
    return 2 * n // 3 + 1


@dataclass(frozen=True, slots=True)
class SignerSet:
    """The members of one set, in the contract's order. number: of the set in its Quorum. Raises BadMembers."""

    number: int
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        raw = [address_bytes(member) for member in self.members]
        if not 0 < len(raw) <= MOST_MEMBERS or raw != sorted(set(raw)) or not any(raw[0]):
            raise BadMembers(self.number, self.members)

    @classmethod
    def of(cls, number: int, members: Iterable[str]) -> SignerSet:
        """A set of these members, sorted."""
        return cls(number, tuple(checksum_address(raw) for raw in sorted(map(address_bytes, members))))

    @property
    def threshold(self) -> int:
        return threshold(len(self.members))

    def packed(self) -> bytes:
        """The members as the contract takes them."""
        return b"".join(map(address_bytes, self.members))

    def gather(self, digest: bytes, signatures: Mapping[str, bytes]) -> bytes:
        """A quorum's signatures in the contract's order, from those of members, each checked; wrong ones are left
        out. Raises TooFewSignatures."""
        good = [
            signatures[member]
            for member in self.members
            if member in signatures and recover(digest, signatures[member]) == member
        ]
        if len(good) < self.threshold:
            raise TooFewSignatures(self.number, len(good), self.threshold)
        return b"".join(good[: self.threshold])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root of a lane's tree when it had `count` messages, as members of set `set` saw it in a final block."""

    set: int
    lane: Lane
    count: int
    root: bytes

    @property
    def digest(self) -> bytes:
        """What is signed (EIP-712): in the domain of the source chain and its outbox."""
        content = (CHECKPOINT_TYPE, word(self.set), self.lane.id, word(self.count), self.root)
        return typed(CHECKPOINT_NAME, self.lane.source, self.lane.outbox, content)


def rotation_digest(chain_id: int, quorum: str, following: SignerSet) -> bytes:
    """What a quorum of the set in force signs to be replaced by `following`."""
    content = (ROTATION_TYPE, word(following.number), keccak256(following.packed()))
    return typed(QUORUM_NAME, chain_id, quorum, content)


def typed(name: bytes, chain_id: int, contract: str, content: Sequence[bytes]) -> bytes:
    """An EIP-712 digest: `content` is the type's hash and the encoded members."""
    domain = keccak256(b"".join((DOMAIN_TYPE, name, VERSION, word(chain_id), word(address_bytes(contract)))))
    return keccak256(b"\x19\x01" + domain + keccak256(b"".join(content)))


def sign(digest: bytes, key: coincurve.PrivateKey) -> bytes:
    """A compact signature (EIP-2098), low s (RFC 6979 nonce)."""
    raw = key.sign_recoverable(digest, hasher=None)
    return raw[:32] + (int.from_bytes(raw[32:64], "big") | raw[64] << 255).to_bytes(32, "big")


def recover(digest: bytes, signature: bytes) -> str | None:
    """The address that made a compact signature; None for one that the contract would not take."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    packed = int.from_bytes(signature[32:], "big")
    s = packed & (PARITY - 1)
    if not 0 < s <= HALF_ORDER:
        return None
    try:
        raw = signature[:32] + s.to_bytes(32, "big") + bytes([packed >> 255])
        public = coincurve.PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception:
        return None
    return checksum_address(keccak256(public.format(compressed=False)[1:])[12:])
