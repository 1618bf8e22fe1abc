"""One party's coins and keys on one chain: the port's Wallet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain as joined

from chains.bitcoin import consents as consenting
from chains.bitcoin import inscriptions
from chains.bitcoin.blocks import Receipt
from chains.bitcoin.coins import Bid
from chains.bitcoin.compiler import Contract, compile_policy
from chains.bitcoin.encoding import outpoint, segwit_address
from chains.bitcoin.follower import Follower
from chains.bitcoin.hd import CHANGE, WalletKey, wallet_keys
from chains.bitcoin.keys import deal_key
from chains.bitcoin.miniscript import opens
from chains.bitcoin.node import Node
from chains.bitcoin.params import Network
from chains.bitcoin.payments import Purse, Sweep, pay, take_back
from chains.bitcoin.presigned import presign
from chains.bitcoin.transaction import TxOut, parse_ours
from chains.errors import BadAsset, BadKey, FeeAboveCap, NothingToSpend, WouldFail
from chains.extras import Presigned
from chains.legs import NATIVE, Leg, Path
from chains.port import Key, SignedTx, Tip
from chains.quorum import unpack


class UtxoWallet:
    """BIP84 coins of the seed, followed with the blocks. Only confirmed coins are ever spent.

    `address` is the first of the receiving branch; the first `gap_limit` addresses of both branches are watched.
    """

    def __init__(
        self, chain: str, network: Network, node: Node, follower: Follower, seed: bytes, gap_limit: int
    ) -> None:
        self._chain = chain
        self._network = network
        self._node = node
        self._follower = follower
        self._seed = seed
        self._list = wallet_keys(seed, network.coin_type, gap_limit)
        self._keys: dict[bytes, WalletKey] = {key.script: key for key in self._list}
        self.address = segwit_address(network.hrp, self._list[0].script)
        follower.watch_wallet(self._keys)

    def key(self, nonce: bytes, label: str) -> Key:
        """See the port."""
        return deal_key(self._seed, nonce, self._chain, label)

    async def balance(self, asset: str) -> int:
        """See the port. Block rewards count once they can be spent."""
        if asset != NATIVE:
            raise BadAsset(self._chain, asset)
        await self._follower.advance_coins()
        return sum(coin.amount for coin in self._coins())

    # --- funding

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """See the port. A replacement keeps all inputs of what it replaces, in their order, so it conflicts with
        the whole lineage. Raises WouldFail where one of them is spent: look at `trace`."""
        await self._follower.advance_coins()
        output = TxOut(leg.amount, compile_policy(leg.paths).output)
        required = self._claimed(replacing) if replacing else []
        taken = {outpoint(claim) for tx in pending for claim in tx.claims} | {one.outpoint for one in required}
        others = [coin for coin in self._coins() if coin.outpoint not in taken]
        bid = await self._bid(price, [replacing] if replacing else [])
        return pay(self._purse(pending, replacing), output, bid, cap, required, others)

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """See the port. Takes all inputs of `tx`, and so rules out its whole lineage."""
        await self._follower.advance_coins()
        bid = await self._bid(price, [tx, replacing] if replacing else [tx])
        return take_back(self._purse(pending, replacing or tx), self._claimed(tx), bid)

    async def sweep(self, price: int, count: int, pending: Sequence[SignedTx]) -> tuple[SignedTx, ...]:
        """See `chains.extras.Sweeps`: one payment to ourselves of all coins, which outbids what the node's mempool
        spends of them (BIP125), where the node can tell."""
        await self._follower.advance_coins()
        taken = {outpoint(claim) for tx in pending for claim in tx.claims}
        coins = [coin for coin in self._coins() if coin.outpoint not in taken]
        if not coins:
            return ()
        spenders = await self._node.spenders([coin.outpoint for coin in coins]) or {}
        entries = [await self._node.entry(txid) for txid in sorted(set(spenders.values()))]
        _, step = await self._node.floors()
        bid = Bid(price, sum(one.family_fee for one in entries if one), step)
        return (take_back(self._purse(pending, None), coins, bid),)

    # --- inscribing

    async def inscribe(
        self, data: bytes, price: int, cap: int, pending: Sequence[SignedTx], replacing: Sequence[SignedTx] = ()
    ) -> tuple[SignedTx, ...]:
        """See `chains.extras.Inscribes`. The first transaction of a replacement evicts all that it replaces."""
        await self._follower.advance_coins()
        heads = list(replacing[:1])
        required = self._claimed(heads[0]) if heads else []
        taken = {outpoint(claim) for tx in pending for claim in tx.claims} | {one.outpoint for one in required}
        others = [coin for coin in self._coins() if coin.outpoint not in taken]
        bid = await self._bid(price, heads)
        purse = self._purse(pending, heads[0] if heads else None)
        made = inscriptions.inscribe(purse, data, bid.price, bid, required, others)
        if (fee := sum(tx.fee for tx in made)) > cap:
            raise FeeAboveCap(self._chain, fee, cap)
        return made

    async def inscriptions(self, since: int) -> tuple[bytes, ...]:
        """See `chains.extras.Inscribes`."""
        publics = {key.public for key in self._list}
        return await inscriptions.find(self._node, self._keys, publics, since)

    def _claimed(self, tx: SignedTx) -> list[Receipt]:
        """The wallet's coins that a transaction of ours claims. Raises WouldFail if one is not there any more."""
        standing = {coin.outpoint: coin for coin in self._coins()}
        found = [standing.get(outpoint(claim)) for claim in tx.claims]
        coins = [coin for coin in found if coin is not None]
        if len(coins) != len(found):
            raise WouldFail(self._chain, f"a coin that {tx.txid} claims is spent, or not confirmed any more")
        return coins

    # --- spending legs

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
        """See the port. Raises BadKey, WouldFail where key, preimages or consents are not what the path asks for,
        or its time has not come."""
        tip = await self._follower.advance()
        policy = leg.path(path)
        contract = compile_policy(leg.paths)
        self._check(policy, key, preimages, tip)
        coins = self._standing(contract)
        signatures = self._consents(contract, policy, consents, coins)
        ready = [coin for coin in coins if _enough(policy, signatures[coin.outpoint])]
        main = self._main(leg, contract, ready, replacing)
        sweep = Sweep(
            address=segwit_address(self._network.hrp, contract.output),
            contract=contract,
            path=policy,
            key=key,
            preimages=dict(zip(policy.hashes, preimages, strict=True)),
            consents=signatures,
        )
        bid = await self._bid(price, [replacing] if replacing else [])
        others = [coin for coin in ready if coin is not main]
        tx = sweep.build(self._purse(pending, replacing), main, others, bid, cap)
        if idle and (reason := await self._node.would_accept(tx.raw)):
            raise WouldFail(self._chain, reason)
        return tx

    def _check(self, path: Path, key: Key, preimages: Sequence[bytes], tip: Tip) -> None:
        if key.public != path.to:
            raise BadKey(key.public, f"path {path.name!r} pays {path.to}")
        if len(preimages) != len(path.hashes) or not all(map(opens, path.hashes, preimages)):
            raise WouldFail(self._chain, f"the preimages do not open path {path.name!r}")
        # a lock time must be strictly below the median time past (BIP113)
        if path.after is not None and tip.time <= path.after:
            raise WouldFail(
                self._chain,
                f"path {path.name!r} opens when the chain's clock is past {path.after}, it is {tip.time}",
            )

    def _main(self, leg: Leg, contract: Contract, coins: Sequence[Receipt], replacing: SignedTx | None) -> Receipt:
        """The coin that every spend of the leg takes: that of the transaction replaced, else the oldest one that
        makes the leg full, else the largest. Raises NothingToSpend."""
        if replacing is not None:
            first = outpoint(replacing.claims[0])
            coins = [coin for coin in coins if coin.outpoint == first]
        if not coins:
            raise NothingToSpend(self._chain, segwit_address(self._network.hrp, contract.output))
        full = (coin for coin in coins if coin.amount >= leg.amount)
        return next(full, None) or max(coins, key=lambda coin: coin.amount)

    def _standing(self, contract: Contract) -> list[Receipt]:
        ledger = self._follower.ledger
        return [coin for coin in ledger.coins(contract.output) if ledger.ripe(coin)]

    def _consents(
        self, contract: Contract, path: Path, texts: Sequence[str], coins: Sequence[Receipt]
    ) -> dict[bytes, dict[str, bytes]]:
        """Valid signatures of the path's other signers, by coin and key. Raises WouldFail if any signer's are
        missing altogether. A member of a quorum may be silent or lie, as long as enough others don't."""
        found: dict[bytes, dict[str, bytes]] = {coin.outpoint: {} for coin in coins}
        wanted = len(path.signers) + (path.quorum is not None)
        if len(texts) != wanted:
            raise WouldFail(self._chain, f"path {path.name!r} needs {wanted} consents, not {len(texts)}")
        for signer, text in zip(path.signers, texts, strict=False):
            signatures = consenting.valid(contract, path, signer, text, coins)
            if coins and not signatures:
                raise WouldFail(self._chain, f"the consent of {signer} is not for what stands at the leg")
            for point, signature in signatures.items():
                found[point][signer] = signature
        if path.quorum is not None:
            for member, text in unpack(texts[-1:], path.quorum).items():
                for point, signature in consenting.valid(contract, path, member, text, coins).items():
                    found[point][member] = signature
            if coins and not any(_enough(path, signatures) for signatures in found.values()):
                reason = f"fewer than {path.quorum.threshold} members signed for what stands at the leg"
                raise WouldFail(self._chain, reason)
        return found

    async def presign(self, leg: Leg, path: str, key: Key, prices: Sequence[int]) -> tuple[Presigned, ...]:
        """See `chains.extras.Presigns`: of the coin that every spend of the leg takes."""
        policy = leg.path(path)
        if key.public != policy.to or policy.needs_others:
            raise BadKey(key.public, f"path {path!r} pays {policy.to}, and may need more than its signature")
        await self._follower.advance()
        contract = compile_policy(leg.paths)
        coin = self._main(leg, contract, self._standing(contract), None)
        purse = self._purse((), None)
        return presign(leg, policy, key, coin, purse.change, purse.dust, prices)

    # --- consents

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        """See the port. Raises NothingToSpend while nothing stands at the leg."""
        policy = leg.path(path)
        if key.public not in _others(policy):
            raise BadKey(key.public, f"it is no signer of path {path!r}")
        await self._follower.advance()
        contract = compile_policy(leg.paths)
        coins = self._standing(contract)
        if not coins:
            raise NothingToSpend(self._chain, segwit_address(self._network.hrp, contract.output))
        return consenting.give(contract, policy, key.secret, coins)

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        """See the port: it must be good for the coin that every spend takes. Smaller coins that came later do not
        spoil it."""
        policy = leg.path(path)
        if signer not in _others(policy):
            return False
        await self._follower.advance()
        contract = compile_policy(leg.paths)
        coins = self._standing(contract)
        if not coins:
            return False
        main = self._main(leg, contract, coins, None)
        return bool(consenting.valid(contract, policy, signer, consent, [main]))

    # --- inside

    @cached_property
    def _change(self) -> list[bytes]:
        return [key.script for key in self._list if key.branch == CHANGE]

    def _coins(self) -> list[Receipt]:
        ledger = self._follower.ledger
        return [coin for script in self._keys for coin in ledger.coins(script) if ledger.ripe(coin)]

    def _purse(self, pending: Iterable[SignedTx], replacing: SignedTx | None) -> Purse:
        """Change goes where the replaced transaction sent it, else to the first address not in use."""
        before = [out.script for out in parse_ours(replacing.raw).outputs] if replacing else []
        planned = joined.from_iterable(parse_ours(tx.raw).outputs for tx in pending)
        used = {out.script for out in planned}
        ledger = self._follower.ledger
        kept = (script for script in before if script in self._keys)
        fresh = (one for one in self._change if one not in used and not ledger.receipts(one))
        empty = (one for one in self._change if one not in used and not any(ledger.coins(one)))
        script = next(joined(kept, fresh, empty), self._change[0])
        return Purse(self._chain, self._network.dust_p2wpkh, self._keys, script)

    async def _bid(self, price: int, replaced: Sequence[SignedTx]) -> Bid:
        """What to pay: `price`, and more than any of `replaced` (BIP125). Only one of them can be in the mempool,
        but which is not known for sure."""
        if not replaced:
            return Bid(price)
        _, step = await self._node.floors()
        entries = [await self._node.entry(tx.txid) for tx in replaced]
        base = max([tx.fee for tx in replaced] + [one.family_fee for one in entries if one])
        return Bid(max(price, *(tx.price + 1 for tx in replaced)), base=base, step=step)


def _others(path: Path) -> tuple[str, ...]:
    """Whose signatures may stand in a spend by the path, besides the recipient's."""
    return (*path.signers, *(path.quorum.members if path.quorum else ()))


def _enough(path: Path, signatures: Mapping[str, bytes]) -> bool:
    """All signers signed for a coin, and enough of the quorum."""
    members = sum(key not in path.signers for key in signatures)
    return len(signatures) - members == len(path.signers) and (
        path.quorum is None or members >= path.quorum.threshold
    )
