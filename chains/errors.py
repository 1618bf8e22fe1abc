"""What can go wrong on or with a chain. One failure, one class; the message is rendered from the fields."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class StrikelockError(Exception):
    """Root of every error of ours. A subclass is a frozen dataclass whose docstring says when it is raised.

    `template` is filled with the fields to make the message.
    """

    template = "{fields}"

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return self.template.format(fields=values, **values)


# --- legs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LegError(StrikelockError):
    """A leg that must not be used. Callers that refuse a leg whatever the reason catch this."""


@dataclass(frozen=True)
class BadHash(LegError):
    """A hashlock that is not 32 bytes, is zero, or occurs twice in a leg."""

    value: str
    reason: str
    template = "hashlock {value} refused: {reason}"


@dataclass(frozen=True)
class BadTime(LegError):
    """A time outside 500,000,000 <= t < 2**31: below it scripts would read a block height."""

    path: str
    after: int
    template = (
        "path {path!r} may be spent after {after}, which is not a UNIX time from 500000000 to 2147483647"
    )


@dataclass(frozen=True)
class BadAmount(LegError):
    """An amount that is not a positive integer within the chain's range."""

    amount: int
    reason: str
    template = "amount {amount} refused: {reason}"


@dataclass(frozen=True)
class Dust(BadAmount):
    """An amount that the chain's nodes would not relay, or whose claim would cost more than it pays."""

    template = "amount {amount} is dust: {reason}"


@dataclass(frozen=True)
class BadKey(LegError):
    """A recipient or signer that is no public key or address of this chain, or that may not be one."""

    value: str
    reason: str
    template = "key or address {value} refused: {reason}"


@dataclass(frozen=True)
class BadPolicy(LegError):
    """Paths that make no safe policy: none, names twice, a shape the chain can't express."""

    reason: str
    template = "policy refused: {reason}"


@dataclass(frozen=True)
class BadAsset(LegError):
    """An asset this chain does not have."""

    chain: str
    asset: str
    template = "chain {chain} has no asset {asset!r}"


# --- nodes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChainError(StrikelockError):
    """The chain or its node failed us. Nothing was lost; what to do depends on the subclass."""

    chain: str


@dataclass(frozen=True)
class ChainUnavailable(ChainError):
    """The node can't be reached or answered with a passing fault, after retries. Look again later."""

    reason: str
    template = "{chain}: the node does not answer ({reason})"


@dataclass(frozen=True)
class WrongNetwork(ChainError):
    """The node serves another network than the configuration names."""

    expected: str
    found: str
    template = "{chain}: the node is on {found}, the configuration says {expected}"


@dataclass(frozen=True)
class StaleTip(ChainError):
    """The node's best block is older than the chain's timing allows: it is syncing, stuck or cut off."""

    age: int
    limit: int
    template = "{chain}: the node's best block is {age} s old, more than the {limit} s this chain allows"


@dataclass(frozen=True)
class UnsupportedChain(ChainError):
    """The chain lacks a rule that our contracts stand on."""

    reason: str
    template = "{chain}: this chain can't be used ({reason})"


@dataclass(frozen=True)
class RpcError(ChainError):
    """The node refused a call for good: retrying the same call makes no sense."""

    method: str
    code: int
    message: str
    template = "{chain}: {method} was refused: {message} ({code})"


# --- transactions ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InsufficientFunds(ChainError):
    """The wallet does not hold what a funding and its fee need."""

    asset: str
    needed: int
    available: int
    template = "{chain}: {needed} {asset} needed, {available} available"


@dataclass(frozen=True)
class FeeAboveCap(ChainError):
    """The fee that the price asks for is above the cap the caller set."""

    fee: int
    cap: int
    template = "{chain}: a fee of {fee} is above the cap of {cap}"


@dataclass(frozen=True)
class NothingToSpend(ChainError):
    """The leg holds nothing that is worth spending by this path now."""

    address: str
    template = "{chain}: there is nothing to spend at {address}"


@dataclass(frozen=True)
class WouldFail(ChainError):
    """A simulation says that the chain would reject the transaction."""

    reason: str
    template = "{chain}: the transaction would fail ({reason})"


@dataclass(frozen=True)
class AccountBusy(ChainError):
    """A first reveal wants an idle account, and this one has transactions in flight."""

    account: str
    template = "{chain}: account {account} has transactions in flight"


@dataclass(frozen=True)
class Rejected(ChainError):
    """The node did not take a broadcast. `reason` is the node's own word, for people."""

    txid: str
    reason: str
    template = "{chain}: transaction {txid} was rejected ({reason})"
