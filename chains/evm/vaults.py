"""Vaults as pure functions: a leg's terms and address, the call data that spends it, consents, and its events.

The other half is `contracts/src/Vaults.sol`; `IVaults.sol` describes the layout. Nothing here talks to a node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import coincurve

from chains.errors import BadAmount, BadKey, BadPolicy, BadTime, StrikelockError
from chains.evm.choices import flat
from chains.evm.codec import (
    WORD,
    address_bytes,
    array,
    asset_bytes,
    asset_name,
    checksum_address,
    keccak256,
    public_address,
    raw_bytes,
    selector,
    word,
    words,
)
from chains.legs import MAX_HASHES, PREIMAGE_BYTES, Leg, Path, check_hash

# keccak256 of the init code in `contracts/src/VaultCode.sol`, which is the same for every vault
VAULT_CODE_HASH = bytes.fromhex("102a6e619f10ab957281d6b520487daa04b1e771519eeef21dca531f617d327e")

MAX_AMOUNT = 2**256 - 1
MAX_AFTER = 2**64 - 1
MAX_SIGNERS = 2**8 - 1
MAX_PATHS = 2**16
LAST_PRECOMPILE = 0xFFFF  # today's end at 0x11 and 0x100; the rest is left for tomorrow's

KEPT = 4096  # addresses and terms remembered: a leg's are asked for at every look

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_BYTES = 65  # r, s, v

_SPEND = selector("spend(address,uint256,bytes32[])")
_SPEND_COIN = selector("spendCoin(uint256,bytes32,bytes32)")
_SPEND_ERC20 = selector("spendErc20(address,uint256,bytes32,bytes32)")
_SPEND_MANY = selector("spendMany(address,uint256,uint256[])")
_BALANCES = selector("balances(address[],address)")
_TRANSFER = selector("transfer(address,uint256)")

_DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_DOMAIN_NAME = keccak256(b"Strikelock Vaults")
_DOMAIN_VERSION = keccak256(b"1")
_CONSENT_TYPE = keccak256(b"Consent(bytes32 terms,uint256 path)")


@dataclass(eq=False)
class BadWitness(StrikelockError):
    """Preimages or signatures that don't fit the path they are given for."""

    path: str
    reason: str
    template = "path {path!r} can't be spent so: {reason}"


@dataclass(eq=False)
class NotASpend(StrikelockError):
    """A log entry that no factory of ours wrote."""

    reason: str
    template = "not a Spent event: {reason}"


@dataclass(frozen=True, slots=True)
class Spent:
    """One asset left a vault. `path` is the index of the path taken, `amount` in the asset's smallest unit."""

    vault: str
    asset: str
    path: int
    amount: int
    preimages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class VaultSpend:
    """What `spend_calldata` takes, as one item of a batch."""

    leg: Leg
    path_index: int
    chain_id: int
    preimages: tuple[bytes, ...] = ()
    signatures: tuple[bytes, ...] = ()


# --- terms and address -----------------------------------------------------------------------------------


def check_leg(leg: Leg, factory: str) -> None:
    """Raise a LegError unless a vault can hold this leg and each of its paths can pay."""
    leg.check()
    if leg.amount > MAX_AMOUNT:
        raise BadAmount(leg.amount, "it does not fit 256 bits")
    asset = asset_bytes(leg.asset)
    if leg.asset.startswith("0x") and int.from_bytes(asset, "big") <= LAST_PRECOMPILE:
        raise BadKey(leg.asset, "no token can stand at this address")
    for path in flat(leg).paths:
        _check_recipient(path.to, address_bytes(factory), asset)
        if len(set(path.signers)) != len(path.signers):
            raise BadPolicy(f"path {path.name!r} names a signer twice")
        if any(not any(address_bytes(signer)) for signer in path.signers):
            raise BadPolicy(f"path {path.name!r} wants a signature of the zero address, which nobody can give")
    terms_hash(leg, 0)  # whatever does not fit a path's word


def _check_recipient(to: str, factory: bytes, asset: bytes) -> None:
    raw = address_bytes(to)
    if int.from_bytes(raw, "big") <= LAST_PRECOMPILE:
        raise BadKey(to, "the zero address or a precompile would keep the money")
    if raw == factory:
        raise BadKey(to, "the factory would keep the money")
    if raw == asset:
        raise BadKey(to, "the token itself would keep the money")


def path_word(leg: Leg, index: int) -> bytes:
    """A path in a word, from the high bits: index (16), signers (8), hashes (8), not before (64), recipient (160).
    Raises a LegError."""
    path = leg.paths[index]
    after = path.after or 0
    if not 0 <= after <= MAX_AFTER:
        raise BadTime(path.name, after)
    if index >= MAX_PATHS or len(path.signers) > MAX_SIGNERS or len(path.hashes) > MAX_HASHES:
        raise BadPolicy(f"path {path.name!r} has too many hashes or signers, or too many paths stand before it")
    counts = index.to_bytes(2, "big") + bytes([len(path.signers), len(path.hashes)])
    return counts + after.to_bytes(8, "big") + address_bytes(path.to)


def leaf(leg: Leg, index: int, chain_id: int) -> bytes:
    """keccak256(chain id . path word . hashes.. . signers..) of one path."""
    path = leg.paths[index]
    for value in path.hashes:
        check_hash(value)
    signers = [word(address_bytes(signer)) for signer in path.signers]
    return keccak256(b"".join([word(chain_id), path_word(leg, index), *path.hashes, *signers]))


def head(leg: Leg) -> bytes:
    """keccak256(asset . amount . salt): what the leg is about. No contract opens it, it only feeds the address."""
    return keccak256(word(asset_bytes(leg.asset)) + word(leg.amount) + word(leg.salt))


def _tail(leg: Leg, start: int, chain_id: int) -> bytes:
    """The node of path `start`: the head if there is no such path."""
    node = head(leg)
    for index in reversed(range(start, len(leg.paths))):
        node = keccak256(leaf(leg, index, chain_id) + node)
    return node


@lru_cache(KEPT)
def terms_hash(leg: Leg, chain_id: int) -> bytes:
    """The commitment to the leg that is its vault's CREATE2 salt. `chain_id` is the chain's when the factory was
    deployed."""
    return _tail(flat(leg), 0, chain_id)


@lru_cache(KEPT)
def vault_address(leg: Leg, chain_id: int, factory: str) -> str:
    """Where the leg is funded: the CREATE2 address (EIP-1014) of its vault."""
    preimage = b"\xff" + address_bytes(factory) + terms_hash(leg, chain_id) + VAULT_CODE_HASH
    return checksum_address(keccak256(preimage)[12:])


# --- call data -------------------------------------------------------------------------------------------


def witness(spend: VaultSpend) -> list[bytes]:
    """The witness words (see IVaults.sol). Raises BadWitness if they can't spend the path."""
    leg, index = spend.leg, spend.path_index
    path = leg.paths[index]
    _check_preimages(path, spend.preimages)
    if len(spend.signatures) != len(path.signers):
        raise BadWitness(path.name, f"it wants {len(path.signers)} signatures, {len(spend.signatures)} given")
    consents: list[bytes] = []
    for signer, signature in zip(path.signers, spend.signatures, strict=True):
        consents += [word(address_bytes(signer)), *_compact(path.name, signature)]
    before = [leaf(leg, other, spend.chain_id) for other in range(index)]
    return [*spend.preimages, *consents, *before, _tail(leg, index + 1, spend.chain_id)]


def _check_preimages(path: Path, preimages: Sequence[bytes]) -> None:
    if len(preimages) != len(path.hashes):
        raise BadWitness(path.name, f"it wants {len(path.hashes)} preimages, {len(preimages)} given")
    for expected, preimage in zip(path.hashes, preimages, strict=True):
        if len(preimage) != PREIMAGE_BYTES:
            raise BadWitness(path.name, f"a preimage has {len(preimage)} bytes instead of {PREIMAGE_BYTES}")
        if hashlib.sha256(preimage).digest() != expected:
            raise BadWitness(path.name, f"the preimage given for {expected.hex()} has another hash")


def _compact(path: str, signature: bytes) -> tuple[bytes, bytes]:
    """r and yParityAndS (EIP-2098) of a 65-byte signature in low-s form."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise BadWitness(path, "a signature is r, s and v (27 or 28), 65 bytes")
    s = int.from_bytes(signature[32:64], "big")
    if s > CURVE_ORDER // 2:
        raise BadWitness(path, "a signature is not in low-s form")
    return signature[:32], word(s | (signature[64] - 27) << 255)


def spend_calldata(
    leg: Leg,
    path_index: int,
    chain_id: int,
    asset: str,
    preimages: Sequence[bytes] = (),
    signatures: Sequence[bytes] = (),
) -> bytes:
    """Call data for the factory: pay all of `asset` that stands at the leg's vault to the path's recipient.

    asset: usually the leg's, but any other that was sent there leaves by the same paths. signatures: r, s, v of
    each of the path's signers, in its order. Raises BadWitness.
    """
    shown = witness(VaultSpend(leg, path_index, chain_id, tuple(preimages), tuple(signatures)))
    token, path = asset_bytes(asset), path_word(leg, path_index)
    if len(shown) != 2:
        return _SPEND + word(token) + path + word(3 * 32) + array(shown)
    called = _SPEND_ERC20 + word(token) if any(token) else _SPEND_COIN
    return called + path + b"".join(shown)


def batch_calldata(asset: str, allowance: int, spends: Sequence[VaultSpend]) -> bytes:
    """Call data that spends several vaults, all of one asset; what is empty or fails is skipped.

    allowance: gas for each item, at least what the dearest needs alone. The transaction's gas limit must leave
    that much for the last item too. Raises BadWitness, BadPolicy if a leg occurs twice.
    """
    terms = [terms_hash(spend.leg, spend.chain_id) for spend in spends]
    if len(set(terms)) != len(terms):
        raise BadPolicy("a batch spends each leg once")
    items: list[bytes] = []
    for spend in spends:
        items += [path_word(spend.leg, spend.path_index), *witness(spend)]
    return _SPEND_MANY + word(asset_bytes(asset)) + word(allowance) + word(3 * 32) + array(items)


def transfer_calldata(to: str, amount: int) -> bytes:
    """Call data for a token: how a token leg is funded."""
    return _TRANSFER + word(address_bytes(to)) + word(amount)


def balances_calldata(accounts: Sequence[str], asset: str) -> bytes:
    """Call data for the factory's view of what many accounts hold of one asset."""
    return _BALANCES + word(64) + word(asset_bytes(asset)) + array(word(address_bytes(one)) for one in accounts)


def decode_balances(answer: bytes | str) -> list[int]:
    """What that view answers, in the order asked."""
    values = [int.from_bytes(value, "big") for value in words(raw_bytes(answer))]
    return values[2 : 2 + values[1]]


# --- consents --------------------------------------------------------------------------------------------


def consent_digest(
    leg: Leg, path_index: int, chain_id: int, factory: str, current_chain_id: int | None = None
) -> bytes:
    """What a signer of the path signs: EIP-712 `Consent(bytes32 terms,uint256 path)` in the factory's domain.

    It holds for all that stands or will stand at the leg, and for this path alone. current_chain_id: the chain's
    own where a fork has changed it since the factory was deployed.
    """
    current = chain_id if current_chain_id is None else current_chain_id
    where = word(current) + word(address_bytes(factory))
    domain = keccak256(_DOMAIN_TYPE + _DOMAIN_NAME + _DOMAIN_VERSION + where)
    message = keccak256(_CONSENT_TYPE + terms_hash(leg, chain_id) + word(path_index))
    return keccak256(b"\x19\x01" + domain + message)


def sign_consent(
    leg: Leg,
    path_index: int,
    chain_id: int,
    factory: str,
    private_key: bytes,
    current_chain_id: int | None = None,
) -> bytes:
    """The signature: r, s, v, 65 bytes, deterministic (RFC 6979), low s."""
    digest = consent_digest(leg, path_index, chain_id, factory, current_chain_id)
    signature = coincurve.PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def check_consent(
    leg: Leg,
    path_index: int,
    chain_id: int,
    factory: str,
    signer: str,
    signature: bytes,
    current_chain_id: int | None = None,
) -> bool:
    """Whether the factory would take `signature` as the signer's consent."""
    digest = consent_digest(leg, path_index, chain_id, factory, current_chain_id)
    try:
        _compact(leg.paths[path_index].name, signature)
        recoverable = signature[:64] + bytes([signature[64] - 27])
        public = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except (BadWitness, ValueError):
        return False
    return public_address(public) == checksum_address(address_bytes(signer))


# --- events ----------------------------------------------------------------------------------------------


def spent_filter(factory: str, vaults: Sequence[str] = ()) -> dict[str, Any]:
    """The filter of `eth_getLogs` for the Spent events of these vaults, or of all. The event is anonymous:
    its only topic is the vault, and the factory writes no other."""
    topics: list[list[str]] = [["0x" + word(address_bytes(vault)).hex() for vault in vaults]] if vaults else []
    return {"address": factory, "topics": topics}


def decode_spent(log: Mapping[str, Any]) -> Spent:
    """A log entry as JSON-RPC or web3 gives it (`topics`, `data`). That the factory wrote it (`address`) is
    for the caller to check. Raises NotASpend."""
    topics = [raw_bytes(topic) for topic in log["topics"]]
    if len(topics) != 1:
        raise NotASpend(f"{len(topics)} topics")
    data = raw_bytes(log["data"])
    if len(data) % WORD or not 2 <= len(data) // WORD <= 2 + MAX_HASHES:
        raise NotASpend(f"{len(data)} bytes of data")
    what, amount, *preimages = words(data)
    return Spent(
        vault=checksum_address(topics[0][12:]),
        asset=asset_name(what[:20]),
        path=int.from_bytes(what[20:], "big"),
        amount=int.from_bytes(amount, "big"),
        preimages=tuple(preimages),
    )
