"""The chain port: all that the engine knows of a chain.

A `Family` (found by the entry point group `strikelock.chains`) opens a `Chain`; a `Chain` turns legs into
addresses, follows the blocks and says what stands at the addresses it is told to watch; a `Wallet` signs for
one party. Everything it returns is a value: no call changes what stands on a chain except `broadcast`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from chains.legs import Leg

if TYPE_CHECKING:
    from pydantic import BaseModel

# --- facts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tip:
    """The best block. `time` is the clock that deadlines are compared with for the next block: median time
    past on UTXO chains (BIP113), the block's timestamp on EVM. `stamp` is the block's own timestamp."""

    height: int
    hash: str
    time: int
    stamp: int


@dataclass(frozen=True, slots=True)
class Spend:
    """Money that left a leg. `path` is None where the witness fits no path of ours (can't happen, but is said).

    depth: confirmations, 1 in the best block, 0 in the mempool. preimages: as shown, in the path's order.
    """

    txid: str
    path: str | None
    amount: int
    preimages: tuple[bytes, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class LegFacts:
    """What stands on the best chain about one leg.

    full: confirmations of the deposit that made the leg full (UTXO: one output of at least the amount;
        EVM: the sum of deposits), None while it is not. It stays after the money is spent.
    held: units that stand at the address now, confirmed, whatever they came from.
    spends: every spend, oldest first.
    """

    full: int | None = None
    held: int = 0
    spends: tuple[Spend, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent look: facts of every watched leg, by address, as of one best block."""

    tip: Tip
    legs: Mapping[str, LegFacts]


# --- transactions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedTx:
    """A transaction we signed, to be stored before it is broadcast.

    claims: what it uses up: "txid:vout" of each input, or "account:nonce". Two transactions that share a
        claim can't both be mined.
    price: what it bids, in the chain's price unit (satoshi per 1000 vbytes; wei per gas).
    fee: the most it can cost, in the native coin's smallest unit.
    """

    chain: str
    txid: str
    raw: bytes
    claims: tuple[str, ...]
    price: int
    fee: int


class TxPhase(StrEnum):
    UNSEEN = "unseen"  # neither in a block nor in the node's mempool
    PENDING = "pending"  # in the node's mempool
    MINED = "mined"
    DISPLACED = "displaced"  # another transaction used up one of its claims in a block


@dataclass(frozen=True, slots=True)
class TxState:
    """Where a transaction of ours stands. `depth` counts the block that mined or displaced it (0 before).

    succeeded: False where it was mined but had no effect (an EVM revert). fee: paid. size: vbytes or gas used.
    """

    phase: TxPhase
    depth: int = 0
    succeeded: bool = True
    fee: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """Prices in the chain's unit: enough to be mined in some blocks, enough for the next block, and the
    smallest the node relays."""

    economical: int
    urgent: int
    floor: int


@dataclass(frozen=True, slots=True)
class Key:
    """A party's key for one use in one deal: how it stands in a policy, and the secret."""

    public: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key(public={self.public!r})"  # a secret is never in a log


# --- timing ----------------------------------------------------------------------------------------------


class BlockProcess(StrEnum):
    POISSON = "poisson"  # proof of work: memoryless arrivals
    SLOTTED = "slotted"  # a block every `interval`, each slot missed with `miss_probability`


@dataclass(frozen=True, slots=True)
class Timing:
    """What the timelock module needs to know of a chain; times in seconds. Comes from configuration.

    interval: mean time between blocks (or the slot). inclusion: blocks within which a bid that follows our fee
    policy is mined. depth: blocks after which a reorganisation is not expected (r). median_span: the chain's
    clock is the median of that many block times (11 on UTXO chains, 1 on EVM). clock_error: how far a block's
    own timestamp may be off, either way. stale_after: a tip older than this means a node in trouble.
    """

    process: BlockProcess
    interval: float
    inclusion: int
    depth: int
    median_span: int
    clock_error: int
    stale_after: int
    miss_probability: float = 0.0


# --- the port --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegAddress:
    """What `leg show` prints; what does not apply to a chain is None."""

    chain: str
    address: str
    script: str | None
    descriptor: str | None
    terms_hash: str | None


class Wallet(Protocol):
    """One party's money and keys on one chain. Holds no state that the seed, the chain and `pending` don't give.

    `pending` is every transaction of ours on this chain that is not yet final, from the journal: what it
    claims is reserved. `replacing` is the last of a lineage; its replacement conflicts with all of it.
    """

    address: str  # where money for this wallet is sent

    def key(self, nonce: bytes, label: str) -> Key:
        """The party's key for one use. UTXO: fresh, from seed, nonce and label. EVM: the account's own."""
        ...

    async def balance(self, asset: str) -> int:
        """Confirmed units of `asset` at the tip."""
        ...

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """Sign a payment of the leg's amount to its address. Raises InsufficientFunds, FeeAboveCap."""
        ...

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """Sign a payment to ourselves that conflicts with `tx` (same input, same nonce). `replacing` is the last
        cancellation, if there is one; the new one pays more than both."""
        ...

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
        """Sign a spend of everything the leg holds by `path`. `key` is the path recipient's; `consents` are what
        `consent` gave the path's other signers. With `idle` (a first reveal) it is simulated first and refused
        with AccountBusy while the account has anything in flight. Raises NothingToSpend, WouldFail,
        FeeAboveCap. UTXO: pays this wallet, the fee comes out of the leg. EVM: pays `path.to`, the fee comes
        from the account."""
        ...

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        """Our signature as one of the path's `signers`, good for whatever stands at the leg now and useful to
        the path's recipient alone. Serialised, opaque to the engine."""
        ...

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        """Whether `consent` is `signer`'s for what stands at the leg now."""
        ...


@runtime_checkable
class Chain(Protocol):
    """A connection to one chain. `look` is the only way to learn what stands on it."""

    name: str
    family: str
    identity: str  # CAIP-2, and on EVM the factory: equal on both sides of a deal or there is none
    timing: Timing
    ordered: bool  # transactions of an account are mined in nonce order: a gap blocks what follows
    price_unit: str  # "sat/kvB", "wei"
    price_step: int  # a replacement's price is at least so much above the last one's
    size_unit: str  # "vbytes", "gas"
    usual_size: int  # of a funding or a spend, roughly

    # legs; pure
    def check(self, leg: Leg) -> None:
        """Raise a LegError unless this chain can hold the leg."""
        ...

    def address(self, leg: Leg) -> LegAddress: ...

    def asset(self, text: str) -> str:
        """The canonical form of an asset's name. Raises BadAsset."""
        ...

    async def decimals(self, asset: str) -> int:
        """Decimals of an asset's smallest unit. Raises BadAsset, ChainUnavailable."""
        ...

    def fee(self, size: int, price: int) -> int:
        """Native units that a transaction of `size` costs at `price`, rounded up."""
        ...

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        """Native units that spending the leg by `path` costs at `price`."""
        ...

    # life
    async def open(self) -> None:
        """Connect and probe. Raises WrongNetwork, UnsupportedChain, ChainUnavailable."""
        ...

    async def close(self) -> None: ...

    def wallet(self, seed: bytes) -> Wallet:
        """The wallet of the BIP39 seed (64 bytes) on this chain; watched from now on."""
        ...

    # looking
    async def watch(self, leg: Leg, since: int) -> None:
        """Report this leg in every snapshot from now on. `since` is a height before its first deposit."""
        ...

    async def unwatch(self, leg: Leg) -> None: ...

    async def look(self) -> Snapshot:
        """Follow the node to its best block and say what stands. Raises ChainUnavailable (also while the chain
        is not open: nothing is seen of a node that was not probed), StaleTip, WrongNetwork."""
        ...

    async def wait(self, seen: str, timeout: float) -> None:
        """Return when the node's best block (or what its mempool says of a watched leg) is no longer what it was
        at the look that returned the block `seen`, or after `timeout` seconds."""
        ...

    # acting
    async def fees(self) -> FeeEstimate: ...

    async def broadcast(self, tx: SignedTx) -> None:
        """Send; sending again is success. Raises Rejected, ChainUnavailable."""
        ...

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        """Where a transaction of ours stands, as of the last look. `since` is a height before it was signed: after
        a restart, blocks from there on are searched for it and for what displaced it."""
        ...


class Family(Protocol):
    """What an entry point in the group `strikelock.chains` names: how to make chains of one kind."""

    name: str
    settings: type[BaseModel]  # a chain's section of the configuration; its descriptions are read by people

    def make(self, name: str, settings: Mapping[str, Any], clock: Callable[[], float] = ...) -> Chain:
        """A chain, not yet open, from its section of the configuration. `clock` (UNIX seconds; the machine's if
        left out) tells stale tips. Raises pydantic's ValidationError on unknown or bad keys."""
        ...
