"""Quorums in vaults: a path for each choice of members, and what members sign for all of them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import combinations

import pytest
from coincurve import PrivateKey

from chains.errors import BadKey, BadPolicy, WouldFail
from chains.evm import quorums, vaults
from chains.evm.choices import MAX_CHOICES, choices, flat, indexes, member_address
from chains.legs import Leg, Path, Quorum
from chains.port import Key
from chains.quorum import pack, threshold_of
from chains.testing.anvil import Anvil
from tests.chains.evm_world import world

CHAIN, FACTORY = 31337, "0xc1332995A2aBD87B5ec4Bd3221760b3cfDF9784a"
BOB, WALT = "0x" + "b0" * 20, "0x" + "0a" * 20
A, E = secrets.token_bytes(32), secrets.token_bytes(32)
HASHES = (hashlib.sha256(A).digest(), hashlib.sha256(E).digest())
SECRETS = {PrivateKey(bytes([i]) * 32).public_key.format().hex(): bytes([i]) * 32 for i in range(1, 11)}
MEMBERS = tuple(SECRETS)


def collateral(count: int, to: str = BOB, back: str = WALT, asset: str = "native", after: int = 2**31 - 1) -> Leg:
    quorum = Quorum(threshold_of(count), MEMBERS[:count])
    paths = (Path("exercise", to, HASHES, quorum=quorum), Path("refund", back, after=after))
    return Leg("evm", asset, 10**6, secrets.token_bytes(32), paths)


def signed(leg: Leg, *members: str) -> dict[str, str]:
    return {one: quorums.sign(leg, "exercise", one, SECRETS[one], CHAIN, FACTORY) for one in members}


def test_a_leg_without_a_quorum_is_what_it_was() -> None:
    leg = replace(collateral(3), paths=(Path("refund", WALT, after=2**31 - 1),))
    assert flat(leg) is leg


def test_the_choices_come_after_the_other_paths() -> None:
    leg = collateral(4)
    listed = flat(leg).paths
    assert [path.name for path in listed] == ["refund", *["exercise"] * 4]
    assert indexes(leg, "refund") == (0,)
    assert indexes(leg, "exercise") == (1, 2, 3, 4)
    accounts = [member_address(member) for member in MEMBERS[:4]]
    assert [path.signers for path in listed[1:]] == list(combinations(accounts, 3))
    assert all(path.quorum is None and path.hashes == HASHES and path.to == BOB for path in listed[1:])


def test_the_address_commits_to_every_member_and_to_the_threshold() -> None:
    leg = collateral(4)
    exercise, refund = leg.paths
    found = {vaults.terms_hash(leg, CHAIN)}
    for quorum in (Quorum(2, MEMBERS[:4]), Quorum(3, MEMBERS[1:5]), Quorum(3, MEMBERS[:4][::-1]), None):
        other = replace(leg, paths=(replace(exercise, quorum=quorum), refund))
        found.add(vaults.terms_hash(other, CHAIN))
    assert len(found) == 5
    assert vaults.vault_address(leg, CHAIN, FACTORY) == vaults.vault_address(flat(leg), CHAIN, FACTORY)


def test_quorums_that_no_vault_can_have() -> None:
    vaults.check_leg(collateral(9), FACTORY)
    exercise, refund = collateral(9).paths
    wide = replace(collateral(9), paths=(replace(exercise, quorum=Quorum(5, MEMBERS[:9])), refund))
    with pytest.raises(BadPolicy, match=f"more than {MAX_CHOICES} choices"):
        vaults.check_leg(wide, FACTORY)
    off = replace(wide, paths=(replace(exercise, quorum=Quorum(1, ("02" + "00" * 32,))), refund))
    with pytest.raises(BadKey, match="curve"):
        vaults.check_leg(off, FACTORY)


def test_any_choice_of_members_who_signed_is_found() -> None:
    leg = collateral(4)
    everybody = signed(leg, *MEMBERS[:4])
    for place, chosen in enumerate(choices(leg.paths[0].quorum)):
        index, signatures = quorums.choose(leg, "exercise", {one: everybody[one] for one in chosen})
        assert index == 1 + place
        spend = vaults.VaultSpend(flat(leg), index, CHAIN, (A, E), signatures)
        assert len(vaults.witness(spend)) == 2 + 3 * 3 + index + 1
        for signer, signature in zip(flat(leg).paths[index].signers, signatures, strict=True):
            assert vaults.check_consent(flat(leg), index, CHAIN, FACTORY, signer, signature)
    for chosen in combinations(everybody, 2):
        assert quorums.choose(leg, "exercise", {one: everybody[one] for one in chosen}) is None
    assert quorums.choose(leg, "refund", everybody) is None


def test_what_is_not_a_members_is_not_valid() -> None:
    leg = collateral(4)
    one, two = MEMBERS[:2]
    good = signed(leg, one)[one]

    def valid(member: str, consent: str, about: Leg = leg) -> bool:
        return quorums.valid(about, "exercise", member, consent, CHAIN, FACTORY)

    assert valid(one, good)
    assert not valid(two, good)
    assert not valid(MEMBERS[5], signed(leg, one)[one])
    assert not valid(one, good, collateral(4))  # another salt
    assert not valid(one, "")
    assert not valid(one, "0xzz")
    assert not valid(one, good[:-2])
    assert not valid(one, good + "00" * 65)
    size = 2 * vaults.SIGNATURE_BYTES
    parts = [good[2:][start : start + size] for start in range(0, len(good) - 2, size)]
    assert len(parts) == 3
    assert not valid(one, "0x" + "".join(parts[::-1]))  # each is for one choice
    raw = bytes.fromhex(parts[0])
    flipped = raw[:32] + (vaults.CURVE_ORDER - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    malleated = (flipped + bytes([55 - raw[64]])).hex()
    assert not valid(one, "0x" + malleated + "".join(parts[1:]))
    assert not quorums.valid(leg, "exercise", one, good, CHAIN, BOB)  # another factory
    assert not quorums.valid(leg, "exercise", one, good, CHAIN + 1, FACTORY)


# --- on a node -------------------------------------------------------------------------------------------


@pytest.mark.node
async def test_members_and_nobody_else_open_a_vault(anvil_factory: Callable[..., Awaitable[Anvil]]) -> None:
    """Three of four, native and token: first and last choice, one that lies, too few."""
    async with world(await anvil_factory()) as here:
        writer, holder, pusher = [await here.wallet() for _ in range(3)]
        after = (await here.chain.look()).tip.time
        for asset in ("native", here.token):
            for chosen in (MEMBERS[:3], MEMBERS[1:4], MEMBERS[:4]):
                made = collateral(4, holder.address, writer.address, asset, after)
                leg = here.leg(asset, made.amount, *made.paths)
                await here.chain.watch(leg, 0)
                await here.lock(writer, leg)
                given = {one: await writer.consent(leg, "exercise", Key(one, SECRETS[one])) for one in MEMBERS[:4]}
                assert all([await holder.check_consent(leg, "exercise", one, given[one]) for one in given])
                short = {one: given[one] for one in chosen[:2]}
                lying = {**short, chosen[2]: given[chosen[0]]}
                for few in (short, lying):
                    with pytest.raises(WouldFail, match="2 members signed, 3 are needed"):
                        await here.spend(pusher, leg, "exercise", A, E, consents=[pack(few)])
                enough = pack({one: given[one] for one in chosen})
                tx = await here.spend(pusher, leg, "exercise", A, E, consents=[enough])
                await here.node.mine()
                assert (await here.trace(tx)).succeeded
                facts = (await here.chain.look()).legs[here.chain.address(leg).address]
                (spend,) = facts.spends
                assert (spend.path, spend.amount, spend.preimages) == ("exercise", leg.amount, (A, E))


@pytest.mark.node
@pytest.mark.parametrize("count", [3, 4, 7, 9])
async def test_what_a_quorum_is_said_to_cost_is_what_it_costs(
    anvil_factory: Callable[..., Awaitable[Anvil]], count: int
) -> None:
    """By its last choice, which is the dearest, and the refund beside it; pushed by a third party."""
    async with world(await anvil_factory()) as here:
        writer, holder, pusher = [await here.wallet() for _ in range(3)]
        after = (await here.chain.look()).tip.time
        for asset in ("native", here.token):
            made = collateral(count, holder.address, writer.address, asset, after)
            members = made.paths[0].quorum.members[-threshold_of(count) :]
            for path, shown in (("exercise", (A, E)), ("refund", ())):
                leg = here.leg(asset, made.amount, *made.paths)
                await here.lock(writer, leg)
                given = {one: await writer.consent(leg, "exercise", Key(one, SECRETS[one])) for one in members}
                consents = [pack(given)] if shown else []
                tx = await here.spend(pusher, leg, path, *shown, consents=consents)
                await here.node.mine()
                paid, said = (await here.trace(tx)).size, here.chain.claim_cost(leg, path, 1)
                assert 0.98 * paid <= said <= 1.02 * paid, (asset, path, paid, said)
