"""bitcoind as the judge: it derives our addresses from our descriptors, and takes the witness of every path."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from itertools import combinations

import pytest
import pytest_asyncio

from chains.bitcoin.compiler import MAX_PATHS, compile_policy
from chains.bitcoin.encoding import outpoint
from chains.bitcoin.keys import public_key, sign
from chains.bitcoin.miniscript import NoSig
from chains.bitcoin.transaction import SIGHASH_ALL, Tx, TxIn, TxOut, parse
from chains.errors import BadPolicy, WouldFail
from chains.legs import MAX_MEMBERS, Leg, Path, Quorum
from chains.port import Key
from chains.quorum import pack, threshold_of
from chains.testing.bitcoind import Bitcoind
from tests.chains.bitcoin_world import AMOUNT, COIN, PLENTY, PRICE, Party, World, lock, preimage, world

pytestmark = pytest.mark.node

SAMPLE = 24  # random policies


@pytest_asyncio.fixture
async def here(bitcoind: Bitcoind) -> AsyncIterator[World]:
    async with world(bitcoind) as made:
        yield made


def policy(dice: random.Random, parties: list[Party], clock: int) -> tuple[Path, ...]:
    """A random policy between the parties; every key is of its own unless a recipient has several paths."""
    paths: list[Path] = []
    for index, party in enumerate(parties):
        for _ in range(dice.choice((1, 1, 2))):
            if len(paths) == MAX_PATHS:
                break
            name = f"p{len(paths)}"
            hashes = tuple(lock(text) for text in dice.sample("uvwx", dice.randint(0, 2)))
            signers = tuple(
                other.public(f"signer {name}") for other in parties if other is not party and dice.random() < 0.4
            )
            after = dice.choice((None, clock - 1 - len(paths)))
            # one at most, as in our protocols: nodes don't relay a spend that leaves some ten keys unproven
            first = all(path.quorum is None for path in paths)
            quorum = _quorum(dice, name) if first and dice.random() < 0.3 else None
            paths.append(Path(name, party.public(f"to {index}"), hashes, signers, after, quorum))
    return tuple(paths)


def _quorum(dice: random.Random, name: str) -> Quorum:
    """Up to two members, with keys that follow from the path's name."""
    count = dice.randint(1, 2)
    return Quorum(dice.randint(1, count), tuple(member(f"{name}/{number}").public for number in range(count)))


def member(name: str) -> Key:
    secret = hashlib.sha256(f"member {name}".encode()).digest()
    return Key(public_key(secret).hex(), secret)


async def test_bitcoind_derives_the_same_addresses(here: World) -> None:
    dice = random.Random(7)
    parties = [await here.party() for _ in range(3)]
    compiled = 0
    for _ in range(200):
        paths = policy(dice, parties[: dice.randint(1, 3)], 1_700_000_000)
        try:
            compile_policy(paths)
        except BadPolicy:
            continue
        compiled += 1
        shown = here.chain.address(Leg("bitcoin", "native", AMOUNT, bytes(32), paths))
        assert await here.node.rpc("deriveaddresses", shown.descriptor) == [shown.address]
        assert await here.node.rpc("decodescript", shown.script)
        if compiled == SAMPLE:
            return
    pytest.fail(f"only {compiled} of the random policies have a script")


async def test_bitcoind_takes_the_witness_of_every_path(here: World) -> None:
    dice = random.Random(8)
    clock = await here.node.clock()
    parties = [await here.party() for _ in range(3)]
    owners = {}
    tried = 0
    while tried < SAMPLE:
        paths = policy(dice, parties[: dice.randint(1, 3)], clock)
        try:
            leg = await here.leg(*paths)
        except BadPolicy:
            continue
        for index, party in enumerate(parties):
            owners[party.public(f"to {index}")] = (party, f"to {index}")
            for path in paths:
                owners[party.public(f"signer {path.name}")] = (party, f"signer {path.name}")
        await here.node.fund(here.address(leg), AMOUNT)
        for path in paths:
            tried += 1
            await _spendable(here, leg, path, owners)
        await here.chain.unwatch(leg)


async def _spendable(here: World, leg: Leg, path: Path, owners: dict[str, tuple[Party, str]]) -> None:
    party, label = owners[path.to]
    shown = [preimage(text) for value in path.hashes for text in "uvwx" if lock(text) == value]
    consents = []
    for signer in path.signers:
        other, name = owners[signer]
        consents.append(await other.wallet.consent(leg, path.name, other.key(name)))
        assert await party.wallet.check_consent(leg, path.name, signer, consents[-1])
    if path.quorum is not None:
        keys = [member(f"{path.name}/{number}") for number in range(len(path.quorum.members))]
        given = {key.public: await party.wallet.consent(leg, path.name, key) for key in keys}
        consents.append(pack(given))
    tx = await party.wallet.spend(leg, path.name, party.key(label), shown, consents, PRICE, PLENTY, [], idle=True)
    (verdict,) = await here.node.rpc("testmempoolaccept", [tx.raw.hex()])
    assert verdict["allowed"], (path, verdict)
    assert here.chain.claim_cost(leg, path.name, 1000) - verdict["vsize"] in (0, 1)  # a signature may be shorter


async def test_every_choice_of_members_spends_and_no_lesser_one(here: World) -> None:
    """Three of four: by whoever answers, and never with a signature that is another's, a stranger's or missing."""
    writer, holder = await here.party(), await here.party()
    members = [member(f"any/{number}") for number in range(4)]
    quorum = Quorum(3, tuple(key.public for key in members))
    after = await here.node.clock() + 3600
    leg = await here.leg(
        Path("exercise", holder.public("to"), (lock("a"), lock("e")), quorum=quorum),
        Path("refund", writer.public("back"), after=after),
    )
    await here.node.fund(here.address(leg), AMOUNT)
    await here.chain.look()
    given = {key.public: await writer.wallet.consent(leg, "exercise", key) for key in members}
    altered = given[members[0].public].replace("3", "4", 1)
    shown = [preimage("a"), preimage("e")]

    async def spend(consents: dict[str, str]) -> bool:
        tx = await holder.wallet.spend(
            leg, "exercise", holder.key("to"), shown, [pack(consents)], PRICE, PLENTY, [], idle=True
        )
        (verdict,) = await here.node.rpc("testmempoolaccept", [tx.raw.hex()])
        return bool(verdict["allowed"])

    for chosen in combinations(given.items(), 3):
        assert await spend(dict(chosen))
    assert await spend(given)
    first, second, third, _ = given
    one_lies = {**given, first: given[second]}
    assert not await writer.wallet.check_consent(leg, "exercise", first, given[second])
    assert not await writer.wallet.check_consent(leg, "exercise", first, altered)
    assert await spend(one_lies)  # it is left out, and three are left
    for short in (
        {first: given[first], second: given[second]},
        {first: given[first], second: given[second], third: given[second]},
        {first: given[first], second: given[second], third: "{}"},
        {first: given[first], second: given[second], "02" + "11" * 32: given[third]},
        {},
    ):
        with pytest.raises(WouldFail, match="fewer than 3 members"):
            await spend(short)


@pytest.mark.parametrize("count", [3, 4, 7, MAX_MEMBERS])
async def test_nodes_relay_both_paths_whatever_the_quorum(here: World, count: int) -> None:
    """A refund shows the keys of all members, and the signature of none."""
    writer, holder = await here.party(), await here.party()
    members = [member(f"relay {count}/{number}") for number in range(count)]
    leg = await here.leg(
        Path(
            "exercise",
            holder.public("to"),
            (lock("a"), lock("e")),
            quorum=Quorum(threshold_of(count), tuple(key.public for key in members)),
        ),
        Path("refund", writer.public("back"), after=await here.node.clock() - 1),
    )
    await here.node.fund(here.address(leg), AMOUNT)
    await here.chain.look()
    given = {key.public: await writer.wallet.consent(leg, "exercise", key) for key in members}
    for path, party, label, shown, consents in (
        ("exercise", holder, "to", [preimage("a"), preimage("e")], [pack(given)]),
        ("refund", writer, "back", [], []),
    ):
        tx = await party.wallet.spend(leg, path, party.key(label), shown, consents, PRICE, PLENTY, [], idle=True)
        (verdict,) = await here.node.rpc("testmempoolaccept", [tx.raw.hex()])
        assert verdict["allowed"], verdict
        assert 0 <= here.chain.claim_cost(leg, path, 1000) - verdict["vsize"] <= 2


async def test_bitcoind_refuses_what_our_wallet_would_not_make(here: World) -> None:
    """Witnesses put together by hand: a signature that stands twice, too few, in another order."""
    holder, writer = await here.party(), await here.party()
    members = [member(f"hand/{number}") for number in range(4)]
    quorum = Quorum(3, tuple(key.public for key in members))
    leg = await here.leg(
        Path("exercise", holder.public("to"), (lock("a"),), quorum=quorum),
        Path("refund", writer.public("back"), after=await here.node.clock() + 3600),
    )
    await here.node.fund(here.address(leg), AMOUNT)
    await here.chain.look()
    given = {key.public: await writer.wallet.consent(leg, "exercise", key) for key in members}
    tx = await holder.wallet.spend(
        leg, "exercise", holder.key("to"), [preimage("a")], [pack(given)], PRICE, PLENTY, []
    )
    whole = parse(tx.raw)
    witness = whole.witnesses[0]
    places = [place for place, item in enumerate(witness[:-1]) if item[:1] == b"\x30"][:-1]
    assert len(places) == 3

    async def accepted(changes: dict[int, bytes]) -> bool:
        items = tuple(changes.get(place, item) for place, item in enumerate(witness))
        coin = TxIn(whole.inputs[0], AMOUNT, witness[-1], items)
        (verdict,) = await here.node.rpc("testmempoolaccept", [Tx((coin,), whole.outputs).to_bytes().hex()])
        return bool(verdict["allowed"])

    one, two, three = places
    assert await accepted({})
    assert not await accepted({two: witness[one]})
    assert not await accepted({three: b""})
    assert not await accepted({one: witness[two], two: witness[one]})
    assert not await accepted({one - 1: b"\x01"})  # what is not empty there could be altered (BIP147)


async def test_descriptor_wallet_that_knows_nothing_of_us_spends_a_leg(here: World) -> None:
    """A user left with a descriptor and a key gets the money out with bitcoind alone."""
    payer, payee = await here.party(), await here.party()
    after = await here.node.clock() - 1
    leg = await here.swap(payer, payee, after=after)
    await here.node.fund(here.address(leg), AMOUNT)
    key = payer.key("back")
    descriptor = here.chain.address(leg).descriptor.partition("#")[0]
    descriptor = descriptor.replace(key.public, _wif(key.secret))
    checksum = (await here.node.rpc("getdescriptorinfo", descriptor))["checksum"]
    target = await here.node.wallet("getnewaddress")
    (coin,) = (await here.node.rpc("scantxoutset", "start", [f"addr({here.address(leg)})"]))["unspents"]
    psbt = await here.node.rpc(
        "createpsbt",
        [{"txid": coin["txid"], "vout": coin["vout"], "sequence": 0xFFFFFFFD}],
        [{target: "0.00990000"}],
        after,
    )
    done = await here.node.rpc("descriptorprocesspsbt", psbt, [f"{descriptor}#{checksum}"])
    assert done["complete"]
    raw = (await here.node.rpc("finalizepsbt", done["psbt"]))["hex"]
    txid = await here.node.rpc("sendrawtransaction", raw)
    await here.node.mine()
    (spend,) = (await here.facts(leg)).spends
    assert (spend.txid, spend.path) == (txid, "refund")


def _wif(secret: bytes) -> str:
    """Wallet import format of a compressed key on a test network."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    data = b"\xef" + secret + b"\x01"
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return text


async def test_spend_that_only_a_miner_could_place_is_seen(here: World) -> None:
    """Consensus lets a refund carry a wrong signature where nodes relay none (NULLFAIL)."""
    payer, payee = await here.party(COIN), await here.party()
    leg = await here.swap(payer, payee, after=await here.node.clock() - 1)
    await here.fund(payer, leg)
    contract = compile_policy(leg.paths)
    (coin,) = here.chain._follower.ledger.coins(contract.output)
    change = parse((await payer.wallet.fund(leg, PRICE, PLENTY, [])).raw).outputs[-1].script
    tx = Tx(
        (TxIn(coin.outpoint, coin.amount, contract.script),), (TxOut(AMOUNT - 1000, change),), leg.paths[1].after
    )
    template = contract.templates["refund"]
    wrong = sign(bytes(31) + b"\x05", tx.digest(0), SIGHASH_ALL)
    right = sign(payer.key("back").secret, tx.digest(0), SIGHASH_ALL)
    witness = tuple(wrong if isinstance(item, NoSig) else right for item in template)
    odd = Tx(
        (TxIn(coin.outpoint, coin.amount, contract.script, (*witness, contract.script)),), tx.outputs, tx.lock_time
    )
    (verdict,) = await here.node.rpc("testmempoolaccept", [odd.to_bytes().hex()])
    assert not verdict["allowed"]
    await here.node.rpc("generateblock", await here.node.wallet("getnewaddress"), [odd.to_bytes().hex()])
    (spend,) = (await here.facts(leg)).spends
    assert (spend.txid, spend.path, spend.amount) == (odd.txid, "refund", AMOUNT)
    assert outpoint(odd.claims[0]) == coin.outpoint


async def test_several_paths_in_one_transaction(here: World) -> None:
    """Two coins of one leg, spent in one transaction by two paths, are two spends."""
    both = await here.party()
    leg = await here.leg(
        Path("one", both.public("1"), (lock("s"),)),
        Path("two", both.public("2")),
    )
    await here.node.fund(here.address(leg), AMOUNT)
    await here.node.fund(here.address(leg), AMOUNT + 1)
    contract = compile_policy(leg.paths)
    await here.chain.look()
    coins = list(here.chain._follower.ledger.coins(contract.output))
    inputs = tuple(TxIn(coin.outpoint, coin.amount, contract.script) for coin in coins)
    tx = Tx(inputs, (TxOut(2 * AMOUNT - 1000, contract.output),))
    witnesses = [_witness(both, leg, name, tx, index) for index, name in enumerate(("one", "two"))]
    signed = Tx(
        tuple(
            TxIn(coin.outpoint, coin.amount, coin.code, witness)
            for coin, witness in zip(inputs, witnesses, strict=True)
        ),
        tx.outputs,
    )
    await here.node.rpc("sendrawtransaction", signed.to_bytes().hex())
    await here.node.mine()
    facts = await here.facts(leg)
    assert {(spend.path, spend.amount, spend.preimages) for spend in facts.spends} == {
        ("one", AMOUNT, (preimage("s"),)),
        ("two", AMOUNT + 1, ()),
    }
    assert facts.held == 2 * AMOUNT - 1000  # paid back to the leg in the same transaction


def _witness(party: Party, leg: Leg, name: str, tx: Tx, index: int) -> tuple[bytes, ...]:
    contract = compile_policy(leg.paths)
    items: list[bytes] = []
    for item in contract.templates[name]:
        match type(item).__name__:
            case "SigOf":
                secret = party.key("1" if name == "one" else "2").secret
                items.append(sign(secret, tx.digest(index), SIGHASH_ALL))
            case "PreimageOf":
                items.append(preimage("s"))
            case "Choice":
                items.append(b"\x01" if item.first else b"")
            case "NoSig":
                items.append(b"")
    return (*items, contract.script)
