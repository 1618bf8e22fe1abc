"""Vaults on a real node: several transactions, several blocks, and what they cost at most.

forge keeps accounts destroyed by a call destroyed for good, so whatever spends one vault more than once is here
(and in its invariant tests, where each call is a transaction).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chains.evm import vaults
from chains.evm.artifact import factory_code, load, revert_reason
from chains.evm.codec import address_bytes, array, checksum_address, raw_bytes, selector, word
from chains.evm.vaults import Spent, VaultSpend, decode_spent, spend_calldata
from chains.legs import Leg, Path
from chains.testing.anvil import Anvil
from chains.testing.errors import NodeRefused

pytestmark = pytest.mark.node

GAS = 1_000_000
SECRET = b"\x5a" * 32
LOCK = hashlib.sha256(SECRET).digest()
EXPIRED = 1_000_000_000  # long ago: a refund that is due
AnvilFactory = Callable[..., Awaitable[Anvil]]


def fresh(seed: object) -> str:
    """An address of nobody."""
    return checksum_address(hashlib.sha256(repr(seed).encode()).digest()[:20])


@dataclass
class Bench:
    """A node with the factory and a token, and its rich accounts."""

    node: Anvil
    factory: str
    token: str
    accounts: list[str]

    @classmethod
    async def on(cls, node: Anvil) -> Bench:
        accounts = [checksum_address(raw_bytes(one)) for one in await node.rpc("eth_accounts")]
        factory = await node.deploy({"abi": load("Vaults").abi, "bytecode": "0x" + load("Vaults").bytecode.hex()})
        token = load("TestToken")
        made = {"abi": token.abi, "bytecode": "0x" + token.bytecode.hex()}
        named = [checksum_address(raw_bytes(factory))]
        named.append(checksum_address(raw_bytes(await node.deploy(made, "Test", "TST", 6))))
        return cls(node, *named, accounts)

    def leg(self, asset: str, salt: object, to: str | None = None) -> Leg:
        """Claim with SECRET, refund at any time."""
        paths = (Path("claim", to or fresh("claimant"), (LOCK,)), Path("refund", fresh("refunder"), after=EXPIRED))
        return Leg("evm", asset, 1000, hashlib.sha256(repr(salt).encode()).digest(), paths)

    def vault(self, leg: Leg) -> str:
        return vaults.vault_address(leg, self.node.chain_id, self.factory)

    def claim(self, leg: Leg, asset: str | None = None) -> bytes:
        return spend_calldata(leg, 0, self.node.chain_id, asset or leg.asset, [SECRET])

    def refund(self, leg: Leg) -> bytes:
        return spend_calldata(leg, 1, self.node.chain_id, leg.asset)

    def item(self, leg: Leg) -> VaultSpend:
        return VaultSpend(leg, 0, self.node.chain_id, (SECRET,))

    async def send(self, to: str, data: bytes = b"", value: int = 0, sender: int = 0, gas: int = GAS) -> str:
        fields = {"from": self.accounts[sender], "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        return str(await self.node.rpc("eth_sendTransaction", {**fields, "gas": hex(gas)}))

    async def done(
        self, to: str, data: bytes = b"", value: int = 0, sender: int = 0, gas: int = GAS
    ) -> dict[str, Any]:
        """The receipt of a transaction that succeeded."""
        receipt = dict(await self.node.receipt(await self.send(to, data, value, sender, gas)))
        assert int(receipt["status"], 16) == 1, await self.reason(to, data, value)
        return receipt

    async def reason(self, to: str, data: bytes, value: int = 0) -> str | None:
        """Why a call reverts, None if it does not."""
        fields = {"from": self.accounts[0], "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        try:
            await self.node.rpc("eth_call", fields, "latest")
        except NodeRefused as refused:
            found = re.search(r"custom error (0x[0-9a-f]{8})(?:: ([0-9a-f]+))?", refused.message)
            return revert_reason(found[1] + (found[2] or "")) if found else refused.message
        return None

    async def pay(self, to: str, asset: str, amount: int) -> dict[str, Any]:
        if asset == "native":
            return await self.done(to, value=amount)
        return await self.done(
            self.token, selector("mint(address,uint256)") + word(address_bytes(to)) + word(amount)
        )

    async def held(self, accounts: Sequence[str], asset: str) -> list[int]:
        data = "0x" + vaults.balances_calldata(accounts, asset).hex()
        return vaults.decode_balances(
            await self.node.rpc("eth_call", {"to": self.factory, "data": data}, "latest")
        )

    def spent(self, receipt: dict[str, Any]) -> list[Spent]:
        ours = [log for log in receipt["logs"] if log["address"] == self.factory.lower()]
        return [decode_spent(log) for log in ours]


@pytest.fixture(scope="module")
async def bench(anvil: Anvil) -> Bench:
    return await Bench.on(anvil)


@pytest.fixture(params=["native", "token"])
def asset(request: pytest.FixtureRequest, bench: Bench) -> str:
    return "native" if request.param == "native" else bench.token


async def test_the_code_on_the_chain_is_the_artifacts(bench: Bench) -> None:
    code = await bench.node.rpc("eth_getCode", bench.factory, "latest")
    assert raw_bytes(code) == factory_code(bench.node.chain_id)


async def test_terms_addresses_and_digests_are_the_contracts_own(bench: Bench) -> None:
    rng = random.Random(7)
    for _ in range(20):
        leg, index, shown, consents = _random_spend(bench, rng)
        path = vaults.path_word(leg, index)
        words = vaults.witness(VaultSpend(leg, index, bench.node.chain_id, shown, consents))
        terms = await _view(bench, "termsOf(uint256,bytes32[])", path + word(64) + array(words))
        assert terms == vaults.terms_hash(leg, bench.node.chain_id)
        address = await _view(bench, "addressOf(bytes32)", terms)
        assert checksum_address(address[12:]) == bench.vault(leg)
        digest = await _view(bench, "consentDigest(bytes32,uint256)", terms + word(index))
        assert digest == vaults.consent_digest(leg, index, bench.node.chain_id, bench.factory)


async def test_random_spends_pay_their_recipient(bench: Bench) -> None:
    rng = random.Random(11)
    for _ in range(20):
        leg, index, shown, consents = _random_spend(bench, rng)
        await bench.pay(bench.vault(leg), leg.asset, leg.amount)
        data = spend_calldata(leg, index, bench.node.chain_id, leg.asset, shown, consents)
        receipt = await bench.done(bench.factory, data, sender=5)
        assert bench.spent(receipt) == [Spent(bench.vault(leg), leg.asset, index, leg.amount, shown)]
        assert await bench.held([bench.vault(leg), leg.paths[index].to], leg.asset) == [0, leg.amount]


async def test_a_vault_is_spent_again_in_later_blocks(bench: Bench, asset: str) -> None:
    leg = bench.leg(asset, ("again", asset), to=fresh(("again", asset)))
    total = 0
    for amount in (1000, 1, 77, 10**6):
        await bench.pay(bench.vault(leg), asset, amount)
        receipt = await bench.done(bench.factory, bench.claim(leg), sender=3)
        assert bench.spent(receipt) == [Spent(bench.vault(leg), asset, 0, amount, (SECRET,))]
        total += amount
        assert await bench.held([bench.vault(leg), leg.paths[0].to], asset) == [0, total]
        assert await bench.node.rpc("eth_getTransactionCount", bench.vault(leg), "latest") == "0x0"
    await bench.pay(bench.vault(leg), asset, 5)  # after the claim, back to the other side
    receipt = await bench.done(bench.factory, bench.refund(leg))
    assert bench.spent(receipt) == [Spent(bench.vault(leg), asset, 1, 5, ())]


async def test_a_vault_is_spent_several_times_in_one_block(anvil_factory: AnvilFactory) -> None:
    bench = await Bench.on(await anvil_factory())
    leg = bench.leg("native", "one block")
    await bench.node.rpc("evm_setAutomine", False)
    txids = []
    for _ in range(3):  # one account, so the order is its nonces'
        txids.append(await bench.send(bench.vault(leg), value=9))
        txids.append(await bench.send(bench.factory, bench.claim(leg)))
    txids.append(await bench.send(bench.factory, bench.claim(leg)))  # nothing is left for this one
    await bench.node.mine()
    receipts = [dict(await bench.node.receipt(txid)) for txid in txids]
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    assert [int(receipt["status"], 16) for receipt in receipts] == [1] * 6 + [0]
    assert [bench.spent(receipt)[0].amount for receipt in receipts[1:6:2]] == [9, 9, 9]
    assert await bench.held([bench.vault(leg), leg.paths[0].to], "native") == [0, 27]


async def test_tokens_and_coin_leave_a_vault_in_two_transactions(bench: Bench) -> None:
    leg = bench.leg("native", "both", to=fresh("both"))
    await bench.pay(bench.vault(leg), "native", 4)
    await bench.pay(bench.vault(leg), bench.token, 6)
    receipt = await bench.done(bench.factory, bench.claim(leg))
    assert bench.spent(receipt) == [Spent(bench.vault(leg), "native", 0, 4, (SECRET,))]
    receipt = await bench.done(bench.factory, bench.claim(leg, bench.token))
    assert bench.spent(receipt) == [Spent(bench.vault(leg), bench.token, 0, 6, (SECRET,))]


async def test_coin_goes_along_with_a_token(bench: Bench) -> None:
    leg = bench.leg(bench.token, "along", to=fresh("along"))
    for amount in (1, 2):
        await bench.pay(bench.vault(leg), "native", amount)
        await bench.pay(bench.vault(leg), bench.token, 10 * amount)
        receipt = await bench.done(bench.factory, bench.claim(leg))
        assert bench.spent(receipt) == [
            Spent(bench.vault(leg), bench.token, 0, 10 * amount, (SECRET,)),
            Spent(bench.vault(leg), "native", 0, amount, (SECRET,)),
        ]
    assert await bench.held([leg.paths[0].to, bench.factory], "native") == [3, 0]


async def test_a_leg_may_pay_the_next_leg(bench: Bench, asset: str) -> None:
    second = bench.leg(asset, ("stage 1", asset), to=fresh(("stages", asset)))
    first = bench.leg(asset, ("stage 0", asset), to=bench.vault(second))
    for _ in range(2):
        await bench.pay(bench.vault(first), asset, 30)
        await bench.done(bench.factory, bench.claim(first))
        assert await bench.held([bench.vault(first), bench.vault(second)], asset) == [0, 30]
        await bench.done(bench.factory, bench.claim(second))
    assert await bench.held([second.paths[0].to], asset) == [60]


async def test_a_batch_in_the_wrong_order_burns_nothing(bench: Bench) -> None:
    """The first item kills the vault that the second would pay."""
    second = bench.leg("native", "killed", to=fresh("killed"))
    first = bench.leg("native", "killer", to=bench.vault(second))
    await bench.pay(bench.vault(first), "native", 1000)
    await bench.pay(bench.vault(second), "native", 1)
    batch = vaults.batch_calldata("native", 200_000, [bench.item(second), bench.item(first)])
    receipt = await bench.done(bench.factory, batch)
    assert [event.vault for event in bench.spent(receipt)] == [bench.vault(second)]
    assert await bench.held([bench.vault(first), bench.vault(second)], "native") == [1000, 0]
    batch = vaults.batch_calldata("native", 200_000, [bench.item(first), bench.item(second)])
    receipt = await bench.done(bench.factory, batch)
    assert len(bench.spent(receipt)) == 2
    assert await bench.held([second.paths[0].to], "native") == [1001]


async def test_a_front_run_item_does_not_revert_a_batch(bench: Bench, asset: str) -> None:
    legs = [bench.leg(asset, ("front-run", asset, n), to=fresh(("front-run", asset))) for n in range(3)]
    for leg in legs:
        await bench.pay(bench.vault(leg), asset, 7)
    await bench.done(bench.factory, bench.claim(legs[1]), sender=4)
    batch = vaults.batch_calldata(asset, 200_000, [bench.item(leg) for leg in legs])
    receipt = await bench.done(bench.factory, batch)
    assert [event.vault for event in bench.spent(receipt)] == [bench.vault(legs[0]), bench.vault(legs[2])]
    assert await bench.held([legs[0].paths[0].to], asset) == [21]
    assert await bench.reason(bench.factory, batch) == "NothingSpent()"


async def test_an_estimate_of_a_batch_pays_for_every_item(bench: Bench) -> None:
    """A node looks for the least gas with which a transaction succeeds: no item may be skipped at that."""
    legs = [bench.leg("native", ("estimate", n), to=fresh("estimate")) for n in range(4)]
    for leg in legs:
        await bench.pay(bench.vault(leg), "native", 7)
    batch = vaults.batch_calldata("native", 150_000, [bench.item(leg) for leg in legs])
    fields = {"from": bench.accounts[0], "to": bench.factory, "data": "0x" + batch.hex()}
    gas = int(await bench.node.rpc("eth_estimateGas", fields), 16)
    receipt = await bench.done(bench.factory, batch, gas=gas)
    assert len(bench.spent(receipt)) == 4


async def test_coin_sent_in_the_transaction_of_the_spend_is_burned(bench: Bench) -> None:
    """Why native legs are funded by top-level transfers, as docs/vaults.md says."""
    leg = bench.leg("native", "burned", to=fresh("burned"))
    await bench.pay(bench.vault(leg), "native", 5)
    claim = bench.claim(leg)
    code = _claim_then_pay(bench.factory, bench.vault(leg), len(claim))
    composer = checksum_address(raw_bytes(await bench.node.deploy({"abi": [], "bytecode": "0x" + code.hex()})))
    await bench.done(composer, claim, value=50)
    assert await bench.held([bench.vault(leg), leg.paths[0].to, composer], "native") == [0, 5, 0]


async def test_gas_at_most(bench: Bench) -> None:
    """Call data without a zero byte that could be other than zero, recipients that exist, pushed by a third party.

    One more in a batch is to the same recipient, as when a party takes what several legs owe it.
    """
    native, token = _dense(bench, "native", 0), _dense(bench, bench.token, 0)
    to = native.paths[0].to
    await bench.pay(to, "native", 1)
    await bench.pay(to, bench.token, 1)
    lock = await bench.pay(bench.vault(native), "native", 1000)
    assert int(lock["gasUsed"], 16) == 21_000
    await bench.pay(bench.vault(token), bench.token, 1000)
    single_native = await bench.done(bench.factory, bench.claim(native), sender=7)
    single_token = await bench.done(bench.factory, bench.claim(token), sender=7)
    found = {
        "native": int(single_native["gasUsed"], 16),
        "erc20": int(single_token["gasUsed"], 16),
        "native_more": await _one_more(bench, "native"),
        "erc20_more": await _one_more(bench, bench.token),
    }
    most = {"native": 65_500, "erc20": 75_000, "native_more": 43_000, "erc20_more": 48_000}
    assert not {name: gas for name, gas in found.items() if not most[name] - 1_200 < gas <= most[name]}, found
    # the recipient who pushes it has its account warm
    own = bench.leg("native", "own", to=bench.accounts[6])
    await bench.pay(bench.vault(own), "native", 1000)
    receipt = await bench.done(bench.factory, bench.claim(own), sender=6)
    assert int(receipt["gasUsed"], 16) <= 62_900


async def test_on_a_chain_without_the_rules_a_spend_fails_and_the_coin_stays(anvil_factory: AnvilFactory) -> None:
    """Before Cancun there is no transient storage; such a chain is refused at start-up."""
    node = await anvil_factory(hardfork="shanghai")
    made = {"abi": load("Vaults").abi, "bytecode": "0x" + load("Vaults").bytecode.hex()}
    accounts = [checksum_address(raw_bytes(one)) for one in await node.rpc("eth_accounts")]
    bench = Bench(node, checksum_address(raw_bytes(await node.deploy(made))), fresh("no token"), accounts)
    leg = bench.leg("native", "old rules")
    await bench.pay(bench.vault(leg), "native", 5)
    receipt = dict(await node.receipt(await bench.send(bench.factory, bench.claim(leg))))
    assert int(receipt["status"], 16) == 0
    assert await node.balance(bench.vault(leg)) == 5


# --- helpers


async def _view(bench: Bench, signature: str, arguments: bytes) -> bytes:
    data = "0x" + (selector(signature) + arguments).hex()
    return raw_bytes(await bench.node.rpc("eth_call", {"to": bench.factory, "data": data}, "latest"))


def _random_spend(bench: Bench, rng: random.Random) -> tuple[Leg, int, tuple[bytes, ...], tuple[bytes, ...]]:
    """A leg with random paths, one of them, and what spends it."""
    keys = [raw_bytes(key) for key in bench.node.accounts.values()]
    paths, secrets, signing = [], [], []
    for n in range(rng.randint(1, 4)):
        secrets.append([rng.randbytes(32) for _ in range(rng.randint(0, 2))])
        signing.append(rng.sample(range(len(keys)), rng.randint(0, 2)))
        paths.append(
            Path(
                f"path {n}",
                checksum_address(rng.randbytes(20)),
                tuple(hashlib.sha256(secret).digest() for secret in secrets[n]),
                tuple(bench.accounts[k] for k in signing[n]),
                rng.choice([None, EXPIRED]),
            )
        )
    asset = rng.choice(["native", bench.token])
    leg = Leg("evm", asset, rng.randint(1, 10**15), rng.randbytes(32), tuple(paths))
    index = rng.randrange(len(paths))
    consents = tuple(
        vaults.sign_consent(leg, index, bench.node.chain_id, bench.factory, keys[k]) for k in signing[index]
    )
    return leg, index, tuple(secrets[index]), consents


def _dense(bench: Bench, asset: str, number: int) -> Leg:
    """A leg whose claim has no zero byte in recipient, preimage and tail: the dearest call data there is."""
    for salt in range(10_000):
        leg = bench.leg(asset, ("dense", number, salt), to="0x" + "a5" * 20)
        words = vaults.witness(bench.item(leg))
        if 0 not in b"".join(words):
            return leg
    raise AssertionError("no leg without zero bytes")


async def _one_more(bench: Bench, asset: str) -> int:
    """What the second item of a batch adds."""
    legs = [_dense(bench, asset, number) for number in (1, 2, 3)]
    for leg in legs:
        await bench.pay(bench.vault(leg), asset, 1000)
    one = await bench.done(bench.factory, vaults.batch_calldata(asset, 200_000, [bench.item(legs[0])]), sender=7)
    both = [bench.item(leg) for leg in legs[1:]]
    two = await bench.done(bench.factory, vaults.batch_calldata(asset, 200_000, both), sender=7)
    assert len(bench.spent(two)) == 2
    return int(two["gasUsed"], 16) - int(one["gasUsed"], 16)


def _claim_then_pay(factory: str, vault: str, size: int) -> bytes:
    """Creation code of a contract that calls the factory with its call data, then pays its coin to the vault."""
    copy = bytes.fromhex("60") + bytes([size]) + bytes.fromhex("5f5f37")  # CALLDATACOPY(0, 0, size)
    call = bytes.fromhex("5f5f60") + bytes([size]) + bytes.fromhex("5f5f73") + address_bytes(factory)
    pay = bytes.fromhex("5f5f5f5f4773") + address_bytes(vault)
    runtime = copy + call + bytes.fromhex("5af150") + pay + bytes.fromhex("5af15000")
    return bytes.fromhex("60") + bytes([len(runtime)]) + bytes.fromhex("80600a5f395ff300") + runtime
