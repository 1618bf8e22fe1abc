"""Accounts, transactions, prices, balances and refusals against other people's code and vectors."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace

import pytest
import rlp
from eth_account import Account as Theirs
from eth_account.hdaccount import ETHEREUM_DEFAULT_PATH, key_from_seed, seed_from_mnemonic
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from hypothesis import example, given
from hypothesis import strategies as st

from chains.errors import BadAmount, BadAsset, BadHash, BadKey, BadPolicy, BadTime, LegError
from chains.evm import account
from chains.evm.account import derive_account
from chains.evm.adapter import EvmChain
from chains.evm.artifact import factory_code_hash
from chains.evm.codec import keccak256, selector, word
from chains.evm.errors import Reverted
from chains.evm.family import FAMILY
from chains.evm.market import Market, bumped, raised
from chains.evm.reserves import reserves
from chains.evm.reverts import words_of
from chains.evm.transaction import Transaction, read_transaction
from chains.evm.vaults import transfer_calldata
from chains.legs import NATIVE, Leg, Path
from chains.port import Chain, Family, Wallet

FACTORY = "0x" + "fa" * 20
TOKEN = "0x6B175474E89094C44Da98b954EedeAC495271d0F"  # DAI
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
HASH = bytes(range(32))
GWEI = 10**9


def chain(**changes: object) -> EvmChain:
    settings = {
        "family": "evm",
        "chain_id": 1,
        "url": "http://127.0.0.1:1",
        "factory": FACTORY,
        "tokens": {"DAI": TOKEN},
        **changes,
    }
    return FAMILY.make("evm", settings)


def leg(**changes: object) -> Leg:
    paths = (Path("claim", ALICE, (HASH,)), Path("refund", BOB, after=1_900_000_000))
    return replace(Leg("evm", NATIVE, 10**18, bytes(range(1, 33)), paths), **changes)  # type: ignore[arg-type]


# --- accounts


@given(st.binary(min_size=64, max_size=64))
def test_the_account_is_the_one_eth_account_derives(seed: bytes) -> None:
    ours = derive_account(seed)
    theirs = Theirs.from_key(key_from_seed(seed, ETHEREUM_DEFAULT_PATH))
    assert (ours.address, ours.secret) == (theirs.address, bytes(theirs.key))


def test_the_account_of_the_words_every_local_node_uses() -> None:
    seed = seed_from_mnemonic("test test test test test test test test test test test junk", "")
    found = derive_account(seed)
    assert found.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert found.secret.hex() == "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    assert found.secret.hex() not in repr(found)


def test_bip32_vector_1() -> None:
    """BIP32, test vector 1: m/0'/1 from the seed 000102...0f."""
    secret, code = account._split(hmac.digest(b"Bitcoin seed", bytes(range(16)), "sha512"))
    assert secret.hex() == "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"
    secret, code = account._child(secret, code, account.HARDENED)
    assert secret.hex() == "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"
    secret, code = account._child(secret, code, 1)
    assert secret.hex() == "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"
    assert code.hex() == "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19"


# --- transactions


@given(
    st.builds(
        Transaction,
        chain_id=st.integers(1, 2**64),
        nonce=st.integers(0, 2**64 - 2),
        tip=st.integers(0, 2**100),
        price=st.integers(0, 2**100),
        gas=st.integers(0, 2**64),
        to=st.sampled_from([TOKEN, "0x9b4D8f2D3C5e1B9F3A8b4f5cE2F0d1C7A6B5E4d3".lower(), None]),
        value=st.integers(0, 2**256 - 1),
        data=st.binary(max_size=300),
    ),
    st.integers(1, 2**255).map(lambda n: n.to_bytes(32, "big")),
)
@example(Transaction(1, 0, 0, 0, 0, TOKEN), b"\x11" * 32)
def test_transactions_are_those_eth_account_signs(ours: Transaction, secret: bytes) -> None:
    them = Theirs.from_key(secret)
    signed = ours.sign("evm", them.address, secret)
    theirs = them.sign_transaction(
        {
            "type": 2,
            "chainId": ours.chain_id,
            "nonce": ours.nonce,
            "maxPriorityFeePerGas": ours.tip,
            "maxFeePerGas": ours.price,
            "gas": ours.gas,
            "to": (ours.to and Theirs_checksum(ours.to)) or b"",
            "value": ours.value,
            "data": ours.data,
        }
    )
    assert signed.raw == bytes(theirs.raw_transaction)
    assert signed.txid == "0x" + bytes(theirs.hash).hex()
    assert Theirs.recover_transaction(signed.raw) == them.address
    again = read_transaction(signed)
    assert replace(again, to=None) == replace(ours, to=None)
    assert (again.to or "").lower() == (ours.to or "").lower()
    assert signed.claims == (f"{them.address.lower()}:{ours.nonce}",)
    assert (signed.price, signed.fee) == (ours.price, ours.gas * ours.price)
    assert TypedTransaction.from_bytes(HexBytes(signed.raw)).hash()
    assert rlp.decode(signed.raw[1:])


def Theirs_checksum(address: str) -> str:
    from eth_utils.address import to_checksum_address

    return to_checksum_address(address)


# --- what pending transactions take


def test_of_transactions_with_one_nonce_the_dearest_counts() -> None:
    secret = secrets.token_bytes(32)

    def tx(nonce: int, value: int, gas: int = 10, price: int = 1, amount: int | None = None) -> object:
        data, to = (b"", BOB) if amount is None else (transfer_calldata(BOB, amount), TOKEN)
        return Transaction(1, nonce, 0, price, gas, to, value, data).sign("evm", ALICE, secret)

    pending = [tx(0, 999), tx(1, 5), tx(1, 0, price=2), tx(2, 7), tx(3, 0, amount=40), tx(4, 0, amount=2)]
    pending.append(Transaction(1, 5, 0, 1, 1, BOB, 10**9).sign("evm", BOB, secret))  # another account's
    held = reserves(pending, ALICE, used=1, own=2)  # type: ignore[arg-type]
    assert held.nonces == {0, 1, 2, 3, 4}
    assert held.native == 20 + 10 + 10
    assert held.tokens == {TOKEN: 42}


# --- prices


@given(st.integers(0, 10**14), st.integers(0, 10**12), st.integers(0, 10**12))
def test_estimates_rise_and_tips_stay_within_the_price(base: int, usual: int, more: int) -> None:
    market = Market(base, usual, usual + more)
    fees = market.estimate(10**18)
    assert market.base < fees.floor <= fees.economical + 1 <= fees.urgent + 1
    tips = [market.tip(price) for price in (0, fees.floor, fees.economical, fees.urgent, 2 * fees.urgent + 2)]
    assert all(tip >= 0 for tip in tips)
    assert tips[-1] > tips[0]
    assert all(market.tip(price) <= price for price in (0, 1, fees.floor, fees.urgent))
    assert market.estimate(7).urgent == min(fees.urgent, 7)


def test_the_base_fee_rises_by_an_eighth_at_most() -> None:
    assert raised(100 * GWEI, 1) == 112_500_000_000
    assert raised(7, 1) == 8  # EIP-1559: by at least 1


@given(st.integers(0, 10**20))
def test_a_bump_is_at_least_an_eighth(price: int) -> None:
    assert 8 * bumped(price) >= 9 * price
    assert price < bumped(price) <= price * 9 // 8 + 2


# --- refusals in words


def test_reverts_in_words() -> None:
    def reverted(data: bytes, message: str = "execution reverted") -> str:
        return words_of(Reverted("evm", "eth_call", 3, message, data))

    text = b"ERC20: transfer amount exceeds balance"
    error = selector("Error(string)") + word(32) + word(len(text)) + text.ljust(64, b"\0")
    assert reverted(error) == text.decode()
    assert reverted(selector("Panic(uint256)") + word(0x11)) == "Panic(0x11)"
    assert reverted(selector("TooEarly(uint256,uint256)") + word(20) + word(7)) == "TooEarly(notBefore=20, time=7)"
    assert reverted(b"") == "execution reverted"
    assert reverted(b"\x12\x34\x56\x78") == "execution reverted: 0x12345678"


# --- legs


def test_the_family_and_its_chain_are_what_the_port_asks_for() -> None:
    made: Chain = chain()
    family: Family = FAMILY
    wallet: Wallet = made.wallet(bytes(64))
    assert isinstance(made, Chain)
    assert (family.name, made.family, made.identity) == ("evm", "evm", f"eip155:1/{FACTORY}")
    assert wallet.key(b"nonce", "label").public == wallet.address


def test_names_of_assets() -> None:
    here = chain()
    assert here.asset("native") == "native"
    assert here.asset("DAI") == here.asset(TOKEN.lower()) == here.asset(TOKEN) == TOKEN
    for bad in ("", "dai", "ETH", "0x", TOKEN[:-1], "0x" + "00" * 20, "0x" + "00" * 19 + "04", FACTORY):
        with pytest.raises(BadAsset):
            here.asset(bad)
    with pytest.raises(BadAsset):
        here.asset(TOKEN.replace("6B", "6b"))  # a wrong checksum is a typing error


CHANGED: list[tuple[type[LegError], dict[str, object]]] = [
    (BadPolicy, {"chain": "other"}),
    (BadPolicy, {"paths": ()}),
    (BadPolicy, {"salt": bytes(31)}),
    (BadPolicy, {"paths": (Path("a", ALICE), Path("a", BOB))}),
    (BadPolicy, {"paths": (Path("a", ALICE, signers=(BOB, BOB)),)}),
    (BadAmount, {"amount": 0}),
    (BadAmount, {"amount": 2**256}),
    (BadAsset, {"asset": "DAI"}),  # a leg names assets canonically
    (BadAsset, {"asset": TOKEN.lower()}),
    (BadAsset, {"asset": "0x" + "00" * 20}),
    (BadHash, {"paths": (Path("a", ALICE, (bytes(32),)),)}),
    (BadHash, {"paths": (Path("a", ALICE, (HASH, HASH)),)}),
    (BadHash, {"paths": (Path("a", ALICE, (HASH[:31],)),)}),
    (BadTime, {"paths": (Path("a", ALICE, after=499_999_999),)}),
    (BadTime, {"paths": (Path("a", ALICE, after=2**31),)}),
    *[
        (BadKey, {"paths": (Path("a", to),)})
        for to in (
            "0x" + "00" * 20,
            "0x" + "00" * 19 + "01",
            "0x" + "00" * 18 + "0100",
            FACTORY,
            TOKEN,
            TOKEN.lower(),
            "0x12",
            "02" + "11" * 32,
            TOKEN.replace("6B", "6b"),
        )
    ],
    (BadPolicy, {"paths": (Path("a", ALICE, signers=("0x" + "00" * 20,)),)}),
    (BadKey, {"paths": (Path("a", ALICE, signers=("02" + "11" * 32,)),)}),
]


@pytest.mark.parametrize(("error", "changes"), CHANGED)
def test_a_leg_that_would_lose_money_is_refused(error: type[LegError], changes: dict[str, object]) -> None:
    chain().check(leg())
    with pytest.raises(error):
        chain().check(leg(**changes))


@pytest.mark.parametrize("asset", [NATIVE, TOKEN])
def test_every_part_of_a_leg_decides_its_address(asset: str) -> None:
    here = chain()
    base = leg(asset=asset)
    changed = [
        base,
        leg(asset=TOKEN if asset == NATIVE else NATIVE),
        replace(base, amount=base.amount + 1),
        replace(base, salt=bytes(32)),
        replace(base, paths=base.paths[:1]),
        replace(base, paths=(replace(base.paths[0], to=BOB), base.paths[1])),
        replace(base, paths=(replace(base.paths[0], hashes=(bytes([1]) * 32,)), base.paths[1])),
        replace(base, paths=(base.paths[0], replace(base.paths[1], after=1_900_000_001))),
        replace(base, paths=(replace(base.paths[0], signers=(BOB,)), base.paths[1])),
    ]
    addresses = {here.address(one).address for one in changed}
    addresses |= {chain(chain_id=2).address(base).address, chain(factory="0x" + "fb" * 20).address(base).address}
    assert len(addresses) == len(changed) + 2
    shown = here.address(base)
    assert (shown.chain, shown.script, shown.descriptor) == ("evm", None, None)
    assert shown.terms_hash is not None
    assert len(shown.terms_hash) == 66


def test_what_is_pinned_is_the_code_of_this_release() -> None:
    assert factory_code_hash(1) != factory_code_hash(2)
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
