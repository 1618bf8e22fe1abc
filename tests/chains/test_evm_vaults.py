"""Terms, addresses, call data, consents and events of vaults, against other libraries and a second reading."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
from eth_abi.abi import decode, encode
from eth_abi.packed import encode_packed
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address
from hypothesis import assume, given
from hypothesis import strategies as st

from chains.errors import BadAmount, BadHash, BadKey, BadPolicy, BadTime, LegError
from chains.evm import vaults
from chains.evm.artifact import load, revert_reason
from chains.evm.codec import address_bytes, checksum_address, selector, word
from chains.evm.vaults import BadWitness, NotASpend, Spent, VaultSpend
from chains.legs import Leg, Path

CHAIN = 31337
FACTORY = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TOKEN = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
ALICE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
# the first two of anvil's well-known developer keys
ALICE_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
BOB_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
SECRET, OTHER = b"\x11" * 32, b"\x22" * 32
HASH, OTHER_HASH = hashlib.sha256(SECRET).digest(), hashlib.sha256(OTHER).digest()
ORDER = vaults.CURVE_ORDER

CLAIM = Path("claim", BOB, (HASH,))
REFUND = Path("refund", ALICE, after=1_900_000_000)
RELEASE = Path("release", ALICE, signers=(BOB,))
SWAP = Leg("evm", "native", 10**18, b"\x07" * 32, (CLAIM, REFUND))
COLLATERAL = Leg("evm", TOKEN, 5, b"\x08" * 32, (Path("exercise", BOB, (HASH, OTHER_HASH)), REFUND, RELEASE))

# --- random legs

addresses = st.binary(min_size=20, max_size=20).filter(lambda raw: any(raw[:18])).map(checksum_address)
preimages = st.binary(min_size=32, max_size=32)
keys = st.integers(1, ORDER - 1).map(lambda secret: secret.to_bytes(32, "big"))
paths = st.tuples(
    addresses,
    st.lists(preimages, max_size=2, unique=True),
    st.lists(keys, max_size=2, unique=True),
    st.none() | st.integers(500_000_000, 2**31 - 1),
)


@st.composite
def spends(draw: st.DrawFn) -> tuple[VaultSpend, list[bytes]]:
    """A spend of a random path of a random leg, and the keys of the path's signers."""
    drawn = draw(st.lists(paths, min_size=1, max_size=4))
    leg = Leg(
        "evm",
        draw(st.just("native") | addresses),
        draw(st.integers(1, 2**256 - 1)),
        draw(st.binary(min_size=32, max_size=32)),
        tuple(
            Path(
                f"path {n}",
                to,
                tuple(hashlib.sha256(one).digest() for one in shown),
                tuple(Account.from_key(key).address for key in signers),
                after,
            )
            for n, (to, shown, signers, after) in enumerate(drawn)
        ),
    )
    index = draw(st.integers(0, len(drawn) - 1))
    _, shown, signers, _ = drawn[index]
    consents = tuple(vaults.sign_consent(leg, index, CHAIN, FACTORY, key) for key in signers)
    return VaultSpend(leg, index, CHAIN, tuple(shown), consents), signers


def terms_of(path: int, words: list[bytes], chain_id: int) -> bytes:
    """The contract's reading of a path's word and its witness, written from the text of IVaults."""
    hashes, signers, index = path >> 224 & 0xFF, path >> 232 & 0xFF, path >> 240
    assert len(words) == hashes + 3 * signers + index + 1
    locks = [hashlib.sha256(one).digest() for one in words[:hashes]]
    who = words[hashes : hashes + 3 * signers : 3]
    node = keccak(
        encode_packed(["uint256", "uint256"], [chain_id, path]) + b"".join(locks) + b"".join(who),
    )
    node = keccak(node + words[-1])
    for before in reversed(words[hashes + 3 * signers : -1]):
        node = keccak(before + node)
    return node


def shown_in(calldata: bytes) -> tuple[bytes, int, list[bytes]]:
    """Asset, path and witness of a single spend's call data."""
    name, arguments = calldata[:4], calldata[4:]
    if name == selector("spendCoin(uint256,bytes32,bytes32)"):
        path, *words = decode(["uint256", "bytes32", "bytes32"], arguments)
        return bytes(20), path, list(words)
    if name == selector("spendErc20(address,uint256,bytes32,bytes32)"):
        token, path, *words = decode(["address", "uint256", "bytes32", "bytes32"], arguments)
        return address_bytes(token), path, list(words)
    assert name == selector("spend(address,uint256,bytes32[])")
    asset, path, words = decode(["address", "uint256", "bytes32[]"], arguments)
    return address_bytes(asset), path, list(words)


# --- terms and addresses


def test_the_format_is_frozen() -> None:
    """Money may stand at these addresses: whoever changes the format makes a new factory of it."""
    assert (
        vaults.terms_hash(SWAP, CHAIN).hex() == "a2f0d3ad532c43c7d05af585f80c8ac5bdb416af308233ad7d13b3ce6b39eb6f"
    )
    assert vaults.vault_address(SWAP, CHAIN, FACTORY) == "0x032b2E4E24A677504F88F751dC48c21A2D05bbFC"
    assert (
        vaults.terms_hash(COLLATERAL, CHAIN).hex()
        == "e7ba081e5443b0833501434862044846375470605d7a2f9e903f955e3c64bdb5"
    )
    assert vaults.vault_address(COLLATERAL, CHAIN, FACTORY) == "0xD5316d960f3322184728beD4607E2cA9d6d9fdFE"


@given(spends())
def test_what_is_shown_hashes_to_the_terms(drawn: tuple[VaultSpend, list[bytes]]) -> None:
    spend, _ = drawn
    calldata = vaults.spend_calldata(spend.leg, spend.path_index, CHAIN, TOKEN, spend.preimages, spend.signatures)
    asset, path, words = shown_in(calldata)
    assert asset == address_bytes(TOKEN)
    assert path == int.from_bytes(vaults.path_word(spend.leg, spend.path_index), "big")
    assert terms_of(path, words, CHAIN) == vaults.terms_hash(spend.leg, CHAIN)


@given(spends())
def test_short_forms_are_used_for_two_words_and_only_there(drawn: tuple[VaultSpend, list[bytes]]) -> None:
    spend, _ = drawn
    calldata = vaults.spend_calldata(
        spend.leg, spend.path_index, CHAIN, "native", spend.preimages, spend.signatures
    )
    path = spend.leg.paths[spend.path_index]
    short = not path.signers and (len(path.hashes), spend.path_index) in ((1, 0), (0, 1))
    assert (calldata[:4] == selector("spendCoin(uint256,bytes32,bytes32)")) is short


def unnamed(leg: Leg) -> Leg:
    return replace(leg, paths=tuple(replace(path, name="") for path in leg.paths))


@given(spends(), st.integers(0, 10**6), st.sampled_from([1, 5, 31337, 11155111, 2**53]))
def test_every_part_of_a_leg_is_in_its_terms(drawn: tuple[VaultSpend, list[bytes]], pick: int, chain: int) -> None:
    leg = drawn[0].leg
    index = pick % len(leg.paths)
    path = leg.paths[index]
    changed = [
        replace(leg, asset=ALICE),
        replace(leg, amount=leg.amount ^ 1),
        replace(leg, salt=bytes(31) + bytes([1 ^ leg.salt[31]]) if not any(leg.salt[:31]) else bytes(32)),
        replace(leg, paths=leg.paths[::-1]),
        replace(leg, paths=(*leg.paths, REFUND)),
        replace(leg, paths=leg.paths[:-1]),
    ]
    others = [
        replace(path, to=TOKEN),
        replace(path, hashes=(*path.hashes[:1], HASH)),
        replace(path, hashes=path.hashes[::-1]),
        replace(path, signers=(*path.signers, ALICE)),
        replace(path, signers=path.signers[::-1]),
        replace(path, after=(path.after or 600_000_000) + 1),
    ]
    changed += [replace(leg, paths=(*leg.paths[:index], one, *leg.paths[index + 1 :])) for one in others]
    different = [one for one in changed if unnamed(one) != unnamed(leg)]
    hashes = {vaults.terms_hash(one, CHAIN) for one in different if one.paths}
    assert vaults.terms_hash(leg, CHAIN) not in hashes
    assume(chain != CHAIN)
    assert vaults.terms_hash(leg, chain) != vaults.terms_hash(leg, CHAIN)


@given(spends())
def test_names_and_the_chains_name_are_not_in_the_terms(drawn: tuple[VaultSpend, list[bytes]]) -> None:
    """Both sides may call a chain and a path what they like."""
    leg = drawn[0].leg
    renamed = replace(leg, chain="other", paths=tuple(replace(path, name=f"x{path.name}") for path in leg.paths))
    assert vaults.terms_hash(renamed, CHAIN) == vaults.terms_hash(leg, CHAIN)


@given(spends())
def test_the_address_is_that_of_eip_1014(drawn: tuple[VaultSpend, list[bytes]]) -> None:
    leg = drawn[0].leg
    preimage = encode_packed(
        ["bytes1", "address", "bytes32", "bytes32"],
        [b"\xff", FACTORY, vaults.terms_hash(leg, CHAIN), vaults.VAULT_CODE_HASH],
    )
    assert vaults.vault_address(leg, CHAIN, FACTORY) == to_checksum_address(keccak(preimage)[12:])


@given(st.binary(min_size=20, max_size=20))
def test_checksums_are_those_of_eip_55(raw: bytes) -> None:
    text = checksum_address(raw)
    assert text == to_checksum_address(raw)
    assert address_bytes(text) == address_bytes(text.lower()) == raw
    swapped = "0x" + text[2:].swapcase()
    if swapped[2:].lower() != swapped[2:] and swapped[2:].upper() != swapped[2:]:
        with pytest.raises(BadKey, match="checksum"):
            address_bytes(swapped)


@pytest.mark.parametrize("text", ["", "0x", FACTORY[2:], FACTORY[:-1], FACTORY + "0", "0x" + "g" * 40, "native"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        address_bytes(text)


# --- legs that are refused


def with_path(path: Path) -> Leg:
    return replace(SWAP, paths=(path, REFUND))


@pytest.mark.parametrize(
    ("leg", "error"),
    [
        (replace(SWAP, amount=0), BadAmount),
        (replace(SWAP, amount=2**256), BadAmount),
        (replace(SWAP, asset="0x" + "00" * 19 + "05"), BadKey),
        (replace(SWAP, asset="bitcoin"), BadKey),
        (replace(SWAP, salt=bytes(31)), BadPolicy),
        (replace(SWAP, paths=()), BadPolicy),
        (with_path(replace(CLAIM, to="0x" + "00" * 20)), BadKey),
        (with_path(replace(CLAIM, to="0x" + "00" * 19 + "09")), BadKey),
        (with_path(replace(CLAIM, to="0x" + "00" * 18 + "0100")), BadKey),
        (with_path(replace(CLAIM, to="0x" + "00" * 18 + "ffff")), BadKey),
        (with_path(replace(CLAIM, to=FACTORY)), BadKey),
        (with_path(replace(CLAIM, to=BOB[:-1] + "9")), BadKey),
        (replace(COLLATERAL, paths=(replace(CLAIM, to=TOKEN),)), BadKey),
        (with_path(replace(CLAIM, hashes=(bytes(32),))), BadHash),
        (with_path(replace(CLAIM, hashes=(b"\x01" * 31,))), BadHash),
        (with_path(replace(CLAIM, hashes=(HASH, HASH))), BadHash),
        (with_path(replace(CLAIM, after=0)), BadTime),
        (with_path(replace(CLAIM, after=2**31)), BadTime),
        (with_path(replace(RELEASE, signers=(BOB, BOB))), BadPolicy),
        (with_path(replace(RELEASE, signers=("0x" + "00" * 20,))), BadPolicy),
        (with_path(replace(RELEASE, signers=("bob",))), BadKey),
    ],
)
def test_legs_that_would_lose_money_are_refused(leg: Leg, error: type[LegError]) -> None:
    with pytest.raises(error):
        vaults.check_leg(leg, FACTORY)


def test_good_legs_are_not_refused() -> None:
    for leg in (SWAP, COLLATERAL):
        vaults.check_leg(leg, FACTORY)
    stage = vaults.vault_address(SWAP, CHAIN, FACTORY)
    vaults.check_leg(with_path(replace(CLAIM, to=stage)), FACTORY)  # a recipient may be a leg
    vaults.check_leg(with_path(replace(CLAIM, to="0x" + "00" * 17 + "010000")), FACTORY)


@pytest.mark.parametrize(
    ("leg", "shown", "signed", "reason"),
    [
        (SWAP, (), (), "1 preimages, 0 given"),
        (SWAP, (SECRET, OTHER), (), "1 preimages, 2 given"),
        (SWAP, (OTHER,), (), "another hash"),
        (SWAP, (SECRET[:31],), (), "31 bytes"),
        (SWAP, (SECRET + b"\0",), (), "33 bytes"),
        (SWAP, (HASH,), (), "another hash"),
        (SWAP, (SECRET,), (bytes(65),), "0 signatures, 1 given"),
    ],
)
def test_witnesses_that_cannot_spend_are_refused(
    leg: Leg, shown: tuple[bytes, ...], signed: tuple[bytes, ...], reason: str
) -> None:
    with pytest.raises(BadWitness, match=reason):
        vaults.spend_calldata(leg, 0, CHAIN, "native", shown, signed)


def test_signatures_of_another_form_are_refused() -> None:
    good = vaults.sign_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB_KEY)
    high = good[:32] + word(ORDER - int.from_bytes(good[32:64], "big")) + bytes([55 - good[64]])
    for bad in (good[:64], good + b"\0", good[:64] + b"\x00", good[:64] + b"\x1d", high):
        with pytest.raises(BadWitness):
            vaults.spend_calldata(COLLATERAL, 2, CHAIN, TOKEN, (), (bad,))
        assert not vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, bad)


# --- batches


@given(st.lists(spends(), min_size=1, max_size=3))
def test_a_batch_is_its_items_in_words(drawn: list[tuple[VaultSpend, list[bytes]]]) -> None:
    items = [spend for spend, _ in drawn]
    assume(len({vaults.terms_hash(spend.leg, CHAIN) for spend in items}) == len(items))
    calldata = vaults.batch_calldata(TOKEN, 123_456, items)
    assert calldata[:4] == selector("spendMany(address,uint256,uint256[])")
    asset, allowance, flat = decode(["address", "uint256", "uint256[]"], calldata[4:])
    assert (to_checksum_address(asset), allowance) == (TOKEN, 123_456)
    assert calldata[4:] == encode(["address", "uint256", "uint256[]"], [asset, allowance, flat])
    for spend in items:
        path, *flat = flat
        count = (path >> 224 & 0xFF) + 3 * (path >> 232 & 0xFF) + (path >> 240) + 1
        words, flat = [word(one) for one in flat[:count]], flat[count:]
        assert terms_of(path, words, CHAIN) == vaults.terms_hash(spend.leg, CHAIN)
    assert not flat


def test_a_batch_spends_a_leg_once() -> None:
    once = VaultSpend(SWAP, 0, CHAIN, (SECRET,))
    with pytest.raises(BadPolicy, match="once"):
        vaults.batch_calldata("native", 10**5, [once, VaultSpend(SWAP, 1, CHAIN)])


def test_balances_are_asked_for_and_read_as_the_abi_says() -> None:
    asked = vaults.balances_calldata([ALICE, BOB], TOKEN)
    assert asked[:4] == selector("balances(address[],address)")
    assert asked[4:] == encode(["address[]", "address"], [[ALICE, BOB], TOKEN])
    assert vaults.decode_balances(encode(["uint256[]"], [[7, 2**256 - 1]])) == [7, 2**256 - 1]
    assert vaults.transfer_calldata(BOB, 9)[4:] == encode(["address", "uint256"], [BOB, 9])


# --- consents


def typed_data(leg: Leg, index: int, factory: str = FACTORY, chain_id: int = CHAIN) -> dict[str, object]:
    """The EIP-712 message as a wallet is given it."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Consent": [{"name": "terms", "type": "bytes32"}, {"name": "path", "type": "uint256"}],
        },
        "primaryType": "Consent",
        "domain": {
            "name": "Strikelock Vaults",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": factory,
        },
        "message": {"terms": vaults.terms_hash(leg, CHAIN), "path": index},
    }


@given(spends(), keys)
def test_consents_are_what_a_wallet_would_sign(drawn: tuple[VaultSpend, list[bytes]], key: bytes) -> None:
    leg, index = drawn[0].leg, drawn[0].path_index
    signable = encode_typed_data(full_message=typed_data(leg, index))
    digest = keccak(b"\x19\x01" + signable.header + signable.body)
    assert vaults.consent_digest(leg, index, CHAIN, FACTORY) == digest
    signed = Account.sign_message(signable, key)
    assert vaults.sign_consent(leg, index, CHAIN, FACTORY, key) == signed.signature
    assert vaults.check_consent(leg, index, CHAIN, FACTORY, Account.from_key(key).address, bytes(signed.signature))


def test_a_consent_is_to_one_path_of_one_leg_at_one_factory_of_one_chain_by_one_signer() -> None:
    good = vaults.sign_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB_KEY)
    assert vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, good)
    assert vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB.lower(), good)
    assert not vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, ALICE, good)
    assert not vaults.check_consent(COLLATERAL, 1, CHAIN, FACTORY, BOB, good)
    assert not vaults.check_consent(COLLATERAL, 2, CHAIN + 1, FACTORY, BOB, good)
    assert not vaults.check_consent(COLLATERAL, 2, CHAIN, TOKEN, BOB, good)
    assert not vaults.check_consent(replace(COLLATERAL, amount=6), 2, CHAIN, FACTORY, BOB, good)
    assert not vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, good, current_chain_id=CHAIN + 1)
    for bit in range(65 * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        assert not vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, bytes(bad))


def test_after_a_fork_a_consent_needs_the_new_chain_id() -> None:
    forked = vaults.sign_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB_KEY, current_chain_id=99)
    assert vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, forked, current_chain_id=99)
    assert not vaults.check_consent(COLLATERAL, 2, CHAIN, FACTORY, BOB, forked)
    signable = encode_typed_data(full_message=typed_data(COLLATERAL, 2, chain_id=99))
    assert Account.recover_message(signable, signature=forked) == BOB


# --- events and errors


@given(
    addresses,
    st.just("native") | addresses,
    st.integers(0, 2**16 - 1),
    st.integers(1, 2**256 - 1),
    st.lists(preimages, max_size=2),
    st.booleans(),
)
def test_events_are_read_back(
    vault: str, asset: str, path: int, amount: int, shown: list[bytes], as_text: bool
) -> None:
    raw = b"" if asset == "native" else address_bytes(asset)
    data = raw.rjust(20, b"\0") + path.to_bytes(12, "big") + word(amount) + b"".join(shown)
    topic = word(address_bytes(vault))
    log = (
        {"topics": ["0x" + topic.hex()], "data": "0x" + data.hex()}
        if as_text
        else {"topics": [topic], "data": data}
    )
    assert vaults.decode_spent(log) == Spent(vault, asset, path, amount, tuple(shown))
    assert vaults.spent_filter(FACTORY, [vault]) == {"address": FACTORY, "topics": [["0x" + topic.hex()]]}


@pytest.mark.parametrize(
    ("topics", "size"), [(0, 64), (2, 64), (1, 0), (1, 32), (1, 63), (1, 65), (1, 160), (1, 1000)]
)
def test_what_is_no_event_of_ours_is_refused(topics: int, size: int) -> None:
    with pytest.raises(NotASpend):
        vaults.decode_spent({"topics": [bytes(32)] * topics, "data": bytes(size)})


def test_every_error_of_the_factory_has_words() -> None:
    errors = [entry for entry in load("Vaults").abi if entry["type"] == "error"]
    assert len(errors) == 14
    for entry in errors:
        kinds = [item["type"] for item in entry["inputs"]]
        values = [{"address": BOB, "bytes32": HASH, "uint256": 77}[kind] for kind in kinds]
        data = selector(f"{entry['name']}({','.join(kinds)})") + encode(kinds, values)
        words = revert_reason("0x" + data.hex())
        assert words is not None
        assert words.startswith(f"{entry['name']}(")
        for item in entry["inputs"]:
            shown = {"address": BOB.lower(), "bytes32": "0x" + HASH.hex(), "uint256": "77"}[item["type"]]
            assert f"{item['name']}={shown}" in words
    assert revert_reason(b"") is None
    assert revert_reason("0x08c379a0") is None


def test_importing_this_side_does_not_import_web3() -> None:
    heavy = "{'web3', 'eth_account', 'aiohttp'}"
    code = f"import sys, chains.evm.vaults, chains.evm.artifact; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
