"""One party's account on an EVM chain: funds vaults, pushes spends, signs consents.

It keeps no state: the seed, the chain and the transactions the journal calls pending give everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import NothingToSpend, WouldFail
from chains.evm import inscriptions, quorums, vaults
from chains.evm.account import Account
from chains.evm.choices import flat, indexes
from chains.evm.client import Client
from chains.evm.errors import Reverted
from chains.evm.purse import MARGIN, Call, Purse, Slot
from chains.evm.reserves import reserves
from chains.evm.reverts import is_empty, words_of
from chains.evm.settings import EvmSettings
from chains.legs import NATIVE, Leg
from chains.port import Key, SignedTx
from chains.quorum import unpack


@dataclass(frozen=True, slots=True)
class Push:
    """One spend to be pushed: what `spend` takes of leg, path and witness."""

    leg: Leg
    path: str
    preimages: tuple[bytes, ...] = ()
    consents: tuple[str, ...] = ()


class EvmWallet:
    """See `chains.port.Wallet`. Prices are maxFeePerGas in wei; the tip is chosen here."""

    def __init__(self, client: Client, settings: EvmSettings, account: Account) -> None:
        self.address = account.address
        self._chain = client.name
        self._chain_id = settings.chain_id
        self._factory = settings.factory
        self._client = client
        self._purse = Purse(client, settings, account)

    def __repr__(self) -> str:
        return f"EvmWallet(address={self.address!r})"

    def key(self, nonce: bytes, label: str) -> Key:
        """The account itself: recipients are known by their address, and vaults are told apart by their salt."""
        return Key(self.address, self._purse.account.secret)

    async def balance(self, asset: str) -> int:
        """Units of `asset` at the best block: `native` or a token's address."""
        return await self._purse.balance(asset, self.address)

    def gaps(self, used: int, pending: Sequence[SignedTx]) -> tuple[int, ...]:
        """Nonces from `used` on that no pending transaction has although a later one does: until they are used,
        the later ones can't be mined."""
        taken = reserves(pending, self.address, used, None).nonces
        return tuple(nonce for nonce in range(used, max(taken, default=used)) if nonce not in taken)

    # --- paying

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """A plain payment to the leg's vault: a transfer of native coin, or a token's `transfer`."""
        vault = self._vault(leg)
        await self._purse.refuse_code(vault)
        slot = await self._purse.slot(pending, replacing)
        await self._purse.need(leg.asset, leg.amount, slot.held)
        call = _payment(leg, vault)
        gas = await self._purse.estimate(call)
        return await self._purse.sign(call, gas, slot, price, cap, [replacing])

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """Nothing, paid to ourselves with the nonce of `tx`."""
        slot = await self._purse.slot(pending, tx)
        call = Call(self.address)
        gas = await self._purse.estimate(call)
        return await self._purse.sign(call, gas, slot, price, None, [tx, replacing])

    async def sweep(self, price: int, count: int, pending: Sequence[SignedTx]) -> tuple[SignedTx, ...]:
        """See `chains.extras.Sweeps`: nothing, paid to ourselves, with each nonce that the node's pool knows of
        and at least the next `count`. A vault's spend that the pool shows is left alone: its preimage is out."""
        first = await self._purse.slot((), None)
        known = list(pending)
        taken = reserves(known, self.address, first.used, None).nonces | await self._pushes_in_pool()
        call = Call(self.address)
        gas = await self._purse.estimate(call)
        found = []
        for nonce in range(first.used, max(first.queued, first.used + count)):
            if nonce not in taken:
                held = reserves(known, self.address, first.used, nonce)
                slot = Slot(nonce, first.used, first.queued, held)
                found.append(await self._purse.sign(call, gas, slot, price, None, []))
                known.append(found[-1])
        return tuple(found)

    async def inscribe(
        self, data: bytes, price: int, cap: int, pending: Sequence[SignedTx], replacing: Sequence[SignedTx] = ()
    ) -> tuple[SignedTx, ...]:
        """See `chains.extras.Inscribes`: one transaction to ourselves with `data` for its call data."""
        await self._purse.refuse_code(self.address)
        before = replacing[0] if replacing else None
        slot = await self._purse.slot(pending, before)
        call = Call(self.address, data=data)
        gas = await self._purse.estimate(call)
        return (await self._purse.sign(call, gas, slot, price, cap, [before]),)

    async def inscriptions(self, since: int) -> tuple[bytes, ...]:
        """See `chains.extras.Inscribes`."""
        return await inscriptions.find(self._client, self.address, since)

    async def _pushes_in_pool(self) -> set[int]:
        """Nonces of spends of ours that the node would put into its next block."""
        block = await self._client.call("eth_getBlockByNumber", "pending", True)
        found = (block or {}).get("transactions", ())
        ours = (tx for tx in found if isinstance(tx, dict) and str(tx.get("from")).lower() == self.address.lower())
        return {int(tx["nonce"], 16) for tx in ours if str(tx.get("to")).lower() == self._factory.lower()}

    # --- spending

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        """`Vaults.spend`, pushed by this account; the path's recipient gets what the vault holds."""
        push = Push(leg, path, tuple(preimages), tuple(consents))
        return await self.push(push, leg.asset, price, cap, pending, replacing, idle=idle)

    async def push(
        self,
        push: Push,
        asset: str,
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        """The same for any asset that stands at the vault, such as a token sent there by mistake."""
        call = self._call(push, asset)
        slot = await self._purse.slot(pending, replacing)
        if idle:
            self._purse.refuse_busy(slot)
        gas = await self._simulated(push, asset, call)
        return await self._purse.sign(call, gas, slot, price, cap, [replacing])

    async def push_many(
        self,
        pushes: Sequence[Push],
        asset: str,
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
    ) -> SignedTx:
        """Several spends of one asset in one transaction. Those that would fail now are left out; one that fails
        later is skipped on chain. Not for a first reveal: what is skipped is revealed too. Raises
        NothingToSpend."""
        good, allowance = [], 0
        for push in pushes:
            try:
                allowance = max(allowance, await self._simulated(push, asset, self._call(push, asset)))
            except (NothingToSpend, WouldFail):
                continue
            good.append(self._vault_spend(push))
        if not good:
            raise NothingToSpend(self._chain, ", ".join(self._vault(push.leg) for push in pushes))
        call = Call(self._factory, data=vaults.batch_calldata(asset, allowance + MARGIN, good))
        slot = await self._purse.slot(pending, replacing)
        gas = await self._purse.estimate(call) + MARGIN * (len(good) - 1)  # every item may become dearer
        return await self._purse.sign(call, gas, slot, price, cap, [replacing])

    async def _simulated(self, push: Push, asset: str, call: Call) -> int:
        """The gas of a spend that succeeds at the best block. Raises NothingToSpend, WouldFail."""
        vault = self._vault(push.leg)
        if not await self._purse.balance(asset, vault):
            raise NothingToSpend(self._chain, vault)
        try:
            await self._purse.simulate(call)
        except Reverted as error:
            if is_empty(error):
                raise NothingToSpend(self._chain, vault) from error
            raise WouldFail(self._chain, words_of(error)) from error
        return await self._purse.estimate(call)

    def _call(self, push: Push, asset: str) -> Call:
        spend = self._vault_spend(push)
        try:
            data = vaults.spend_calldata(
                spend.leg, spend.path_index, self._chain_id, asset, spend.preimages, spend.signatures
            )
        except vaults.BadWitness as error:
            raise WouldFail(self._chain, str(error)) from error
        return Call(self._factory, data=data)

    def _vault_spend(self, push: Push) -> vaults.VaultSpend:
        """The vault's path and its witness. Raises WouldFail where too few members of a quorum signed."""
        leg, path = flat(push.leg), push.leg.path(push.path)
        if path.quorum is None:
            signatures = tuple(_signature(consent) for consent in push.consents)
            return vaults.VaultSpend(leg, _index(push), self._chain_id, push.preimages, signatures)
        given = unpack(push.consents[-1:], path.quorum)
        good = {member: text for member, text in given.items() if self._signed(push.leg, path.name, member, text)}
        chosen = quorums.choose(push.leg, path.name, good)
        if chosen is None:
            raise WouldFail(self._chain, f"{len(good)} members signed, {path.quorum.threshold} are needed")
        index, members = chosen
        others = tuple(_signature(consent) for consent in push.consents[:-1])
        return vaults.VaultSpend(leg, index, self._chain_id, push.preimages, (*others, *members))

    def _signed(self, leg: Leg, path: str, member: str, consent: str) -> bool:
        return quorums.valid(leg, path, member, consent, self._chain_id, self._factory)

    def _vault(self, leg: Leg) -> str:
        return vaults.vault_address(leg, self._chain_id, self._factory)

    # --- consenting

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        """Our EIP-712 signature, hex, good for whatever stands or will stand at the vault; as a member of a
        quorum, one for every choice of members that we are in."""
        quorum = leg.path(path).quorum
        if quorum is not None and key.public in quorum.members:
            return quorums.sign(leg, path, key.public, key.secret, self._chain_id, self._factory)
        index = _index(Push(leg, path))
        return "0x" + vaults.sign_consent(flat(leg), index, self._chain_id, self._factory, key.secret).hex()

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        """Whether the factory would take it as `signer`'s."""
        quorum = leg.path(path).quorum
        if quorum is not None and signer in quorum.members:
            return self._signed(leg, path, signer, consent)
        index = _index(Push(leg, path))
        signature = _signature(consent)
        return vaults.check_consent(flat(leg), index, self._chain_id, self._factory, signer, signature)


def _payment(leg: Leg, vault: str) -> Call:
    if leg.asset == NATIVE:
        return Call(vault, leg.amount)
    return Call(leg.asset, data=vaults.transfer_calldata(vault, leg.amount))


def _index(push: Push) -> int:
    return indexes(push.leg, push.path)[0]


def _signature(consent: str) -> bytes:
    """The signature's bytes; none of text that is not hex, which no check takes."""
    try:
        return bytes.fromhex(consent.removeprefix("0x"))
    except ValueError:
        return b""
