"""What can go wrong on or with a chain. One failure, one class; the message is rendered from the fields."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(eq=False)
class StrikelockError(Exception):
    """Root of every error of ours. A subclass is a dataclass whose docstring says when it is raised.

    `template` is filled with the fields to make the message.
    """

    template = "{fields}"

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return self.template.format(fields=values, **values)


# --- legs ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class LegError(StrikelockError):
    """A leg that must not be used. Callers that refuse a leg whatever the reason catch this."""


@dataclass(eq=False)
class BadHash(LegError):
    """A hashlock that is not 32 bytes, is zero, or occurs twice in a leg."""

    value: str
    reason: str
    template = "hashlock {value} refused: {reason}"


@dataclass(eq=False)
class BadTime(LegError):
    """A time outside 500,000,000 <= t < 2**31: below it scripts would read a block height."""

    path: str
    after: int
    template = "path {path!r} may be spent after {after}, which is not a UNIX time from 500000000 to 2147483647"


@dataclass(eq=False)
class BadAmount(LegError):
    """An amount that is not a positive integer within the chain's range."""

    amount: int
    reason: str
    template = "amount {amount} refused: {reason}"


@dataclass(eq=False)
class Dust(BadAmount):
    """An amount that the chain's nodes would not relay, or whose claim would cost more than it pays."""

    template = "amount {amount} is dust: {reason}"


@dataclass(eq=False)
class BadKey(LegError):
    """A recipient or signer that is no public key or address of this chain, or that may not be one."""

    value: str
    reason: str
    template = "key or address {value} refused: {reason}"


@dataclass(eq=False)
class BadPolicy(LegError):
    """Paths that make no safe policy: none, names twice, a shape the chain can't express."""

    reason: str
    template = "policy refused: {reason}"


@dataclass(eq=False)
class BadAsset(LegError):
    """An asset this chain does not have."""

    chain: str
    asset: str
    template = "chain {chain} has no asset {asset!r}"


# --- nodes -----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ChainError(StrikelockError):
    """The chain or its node failed us. Nothing was lost; what to do depends on the subclass."""

    chain: str


@dataclass(eq=False)
class ChainUnavailable(ChainError):
    """The node can't be reached or answered with a passing fault, after retries. Look again later."""

    reason: str
    template = "{chain}: the node does not answer ({reason})"


@dataclass(eq=False)
class WrongNetwork(ChainError):
    """The node serves another network than the configuration names."""

    expected: str
    found: str
    template = "{chain}: the node is on {found}, the configuration says {expected}"


@dataclass(eq=False)
class StaleTip(ChainError):
    """The node's best block is older than the chain's timing allows: it is syncing, stuck or cut off."""

    age: int
    limit: int
    template = "{chain}: the node's best block is {age} s old, more than the {limit} s this chain allows"


@dataclass(eq=False)
class UnsupportedChain(ChainError):
    """The chain lacks a rule that our contracts stand on."""

    reason: str
    template = "{chain}: this chain can't be used ({reason})"


@dataclass(eq=False)
class RpcError(ChainError):
    """The node refused a call for good: retrying the same call makes no sense."""

    method: str
    code: int
    message: str
    template = "{chain}: {method} was refused: {message} ({code})"


# --- transactions ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class InsufficientFunds(ChainError):
    """The wallet does not hold what a funding and its fee need."""

    asset: str
    needed: int
    available: int
    template = "{chain}: {needed} {asset} needed, {available} available"


@dataclass(eq=False)
class FeeAboveCap(ChainError):
    """The fee that the price asks for is above the cap the caller set."""

    fee: int
    cap: int
    template = "{chain}: a fee of {fee} is above the cap of {cap}"


@dataclass(eq=False)
class NothingToSpend(ChainError):
    """The leg holds nothing that is worth spending by this path now."""

    address: str
    template = "{chain}: there is nothing to spend at {address}"


@dataclass(eq=False)
class WouldFail(ChainError):
    """A simulation says that the chain would reject the transaction."""

    reason: str
    template = "{chain}: the transaction would fail ({reason})"


@dataclass(eq=False)
class AccountBusy(ChainError):
    """A first reveal wants an idle account, and this one has transactions in flight."""

    account: str
    template = "{chain}: account {account} has transactions in flight"


@dataclass(eq=False)
class Rejected(ChainError):
    """The node did not take a broadcast. `reason` is the node's own word, for people."""

    txid: str
    reason: str
    template = "{chain}: transaction {txid} was rejected ({reason})"
