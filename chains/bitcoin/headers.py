"""Bitcoin's rules for headers, as a slow twin of `evm/contracts/src/BitcoinLightClient.sol`: tests run both on
the same headers. Every header is kept here, where the contract keeps one a batch.

Rules and numbers: Bitcoin Core, `src/pow.cpp`, `src/validation.cpp` (ContextualCheckBlockHeader) and
`src/arith_uint256.cpp`; BIP94 for testnet4. Hashes are in the order in which they are hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from chains.bitcoin.blocks import HEADER_BYTES
from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.params import MAX_FUTURE, MEDIAN_SPAN
from chains.errors import StrikelockError

EPOCH: Final = 2016  # blocks between two retargets
EPOCH_SECONDS: Final = 14 * 86_400
CLAMP: Final = 4  # a retarget changes the target at most so many times
MIN_DIFFICULTY_AFTER: Final = 1200  # seconds
MAINNET_LIMIT: Final = 0x1D00FFFF


@dataclass(eq=False)
class BadHeader(StrikelockError):
    """A header that the rules refuse. `rule` is the contract's error of the same meaning."""

    rule: str
    height: int
    template = "header at height {height} refused: {rule}"


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """What differs between networks; the contract's `Network`.

    limit_bits: the highest target, in compact form. max_warp: seconds that an epoch's first block may be older
    than the block before it, 0 for no such rule. from_first: a retarget starts from the epoch's first block
    (BIP94). min_difficulty: a block more than twenty minutes after its parent has the highest target.
    no_retarget: it never changes.
    """

    limit_bits: int
    max_warp: int = 0
    from_first: bool = False
    min_difficulty: bool = False
    no_retarget: bool = False

    @property
    def insecure(self) -> bool:
        """Blocks can be made at will: what such a network's headers prove is no evidence of anything."""
        return self.min_difficulty or self.no_retarget or target_of(self.limit_bits) > target_of(MAINNET_LIMIT)


# src/kernel/chainparams.cpp. A signet's blocks are signed, which headers do not show: its low limit counts as
# insecure.
RULES: Final = {
    "mainnet": HeaderRules(MAINNET_LIMIT),
    "testnet": HeaderRules(MAINNET_LIMIT, min_difficulty=True),
    "testnet4": HeaderRules(MAINNET_LIMIT, max_warp=600, from_first=True, min_difficulty=True),
    "signet": HeaderRules(0x1E0377AE),
    "regtest": HeaderRules(0x207FFFFF, min_difficulty=True, no_retarget=True),
}


# --- numbers ---------------------------------------------------------------------------------------------


def target_of(bits: int) -> int:
    """A target from its compact form. Raises ValueError unless it is the only form of a target above zero."""
    size, high = bits >> 24, bits & 0x7FFFFF
    target = high >> 8 * (3 - size) if size <= 3 else high << 8 * (size - 3)
    if not 0 < target < 2**256 or bits_of(target) != bits:
        raise ValueError(f"{bits:#010x} is not the compact form of a target")
    return target


def bits_of(target: int) -> int:
    """The compact form: a byte of size, then the three highest bytes, of which the highest bit is a sign."""
    size = (target.bit_length() + 7) // 8
    high = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if high & 0x800000:
        high >>= 8
        size += 1
    return size << 24 | high


def work_of(bits: int) -> int:
    """Hashes that a block of this target takes on average."""
    return 2**256 // (target_of(bits) + 1)


def previous_of(header: bytes) -> bytes:
    """Hash of the header before."""
    return header[4:36]


def root_of(header: bytes) -> bytes:
    """Merkle root."""
    return header[36:68]


def time_of(header: bytes) -> int:
    """Timestamp, UNIX seconds."""
    return int.from_bytes(header[68:72], "little")


def bits_in(header: bytes) -> int:
    """Compact target."""
    return int.from_bytes(header[72:76], "little")


def split(headers: bytes) -> Iterator[bytes]:
    """The headers of a batch."""
    return (headers[start : start + HEADER_BYTES] for start in range(0, len(headers), HEADER_BYTES))


# --- the chain -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a light client trusts without proof. work: of the chain up to and with the header. epoch_time,
    epoch_bits: timestamp and compact target of the first block of its difficulty epoch."""

    header: bytes
    height: int
    work: int
    epoch_time: int
    epoch_bits: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A header with what its children are judged by."""

    height: int
    work: int
    epoch_time: int
    epoch_bits: int
    bits: int
    times: tuple[int, ...]  # of the last eleven, itself last


@dataclass
class HeaderTree:
    """All headers seen, and which has the most work. before: headers that lead to the anchor, at most ten, for
    their timestamps."""

    rules: HeaderRules
    anchor: Anchor
    before: Sequence[bytes] = ()
    tip: bytes = field(init=False)
    _known: dict[bytes, _Known] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        anchor = self.anchor
        times = tuple(map(time_of, (*self.before, anchor.header)))[-MEDIAN_SPAN:]
        self.tip = double_sha256(anchor.header)
        self._known[self.tip] = _Known(
            anchor.height, anchor.work, anchor.epoch_time, anchor.epoch_bits, bits_in(anchor.header), times
        )

    @property
    def height(self) -> int:
        return self._known[self.tip].height

    @property
    def work(self) -> int:
        return self._known[self.tip].work

    def submit(self, headers: Iterable[bytes], now: int) -> None:
        """Take headers, each the child of a known one, all or none. now: UNIX seconds. Raises BadHeader."""
        found: dict[bytes, _Known] = {}
        for header in headers:
            parent = found.get(previous_of(header)) or self._known.get(previous_of(header))
            if parent is None:
                raise BadHeader("UnknownParent", 0)
            found[double_sha256(header)] = self._judge(parent, header, now)
        self._known |= found
        if found:
            end = next(reversed(found))
            if found[end].work > self.work:
                self.tip = end

    def expected_bits(self, parent: bytes, time: int) -> int:
        """The compact target of a child of this header with this timestamp."""
        return self._expected(self._known[parent], time)

    def _judge(self, parent: _Known, header: bytes, now: int) -> _Known:
        rules, height, time, bits = self.rules, parent.height + 1, time_of(header), bits_in(header)
        begins = height % EPOCH == 0
        if begins and rules.max_warp and time + rules.max_warp < parent.times[-1]:
            raise BadHeader("TimeWarp", height)
        if bits != self._expected(parent, time):
            raise BadHeader("WrongTarget", height)
        if time <= sorted(parent.times)[len(parent.times) // 2]:
            raise BadHeader("NotAfterMedian", height)
        if time > now + MAX_FUTURE:
            raise BadHeader("TooFarAhead", height)
        if int.from_bytes(double_sha256(header), "little") > target_of(bits):
            raise BadHeader("InsufficientWork", height)
        return _Known(
            height=height,
            work=parent.work + work_of(bits),
            epoch_time=time if begins else parent.epoch_time,
            epoch_bits=bits if begins else parent.epoch_bits,
            bits=bits,
            times=(*parent.times, time)[-MEDIAN_SPAN:],
        )

    def _expected(self, parent: _Known, time: int) -> int:
        rules = self.rules
        if (parent.height + 1) % EPOCH == 0:
            return self._retarget(parent)
        if rules.min_difficulty and time > parent.times[-1] + MIN_DIFFICULTY_AFTER:
            return rules.limit_bits
        return parent.epoch_bits

    def _retarget(self, parent: _Known) -> int:
        """Bitcoin measures from the epoch's first block to its last, so 2015 intervals, not 2016."""
        if self.rules.no_retarget:
            return parent.epoch_bits
        span = parent.times[-1] - parent.epoch_time
        span = min(max(span, EPOCH_SECONDS // CLAMP), EPOCH_SECONDS * CLAMP)
        base = parent.epoch_bits if self.rules.from_first else parent.bits
        target = target_of(base) * span // EPOCH_SECONDS
        return bits_of(min(target, target_of(self.rules.limit_bits)))
