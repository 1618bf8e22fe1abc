"""From a policy to its script: the cheapest sane miniscript that says the same.

A policy is an OR of ANDs. The search takes a key out of the branches that share it, or splits the branches in
two, and keeps of all ways the one whose spends weigh least. Both parties must find the same script: the order of
candidates is fixed, ties go to the lesser text, and the tests pin the scripts of every protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import combinations
from typing import Final, TypeAlias, TypeVar

from chains.bitcoin import miniscript as ms
from chains.bitcoin.descriptor import with_checksum
from chains.bitcoin.encoding import compact_size, p2wsh, script_number
from chains.bitcoin.keys import DER_SEQUENCE, MIN_SIGNATURE_BYTES, check_public
from chains.bitcoin.miniscript import Fragment, Item, PreimageOf, Witness, item_bytes
from chains.bitcoin.transaction import INPUT_WEIGHT
from chains.errors import BadPolicy
from chains.legs import Path, Quorum

MAX_PATHS: Final = 6  # the search doubles with each; no protocol of ours has more than three
MAX_SHAPES: Final = 4096  # remembered
MAX_SCRIPT_BYTES: Final = 3600  # standardness limits of P2WSH (policy.h)
MAX_STACK_ITEMS: Final = 100
MAX_OPS: Final = 201  # consensus
OP_0, OP_16 = 0x50, 0x60  # of the numbers: OP_1 is 0x51
CHECK_MANY: Final = (0xAE, 0xAF)  # OP_CHECKMULTISIG and its VERIFY twin

Rankable = TypeVar("Rankable", str, bytes)


@dataclass(frozen=True, slots=True)
class Factor:
    """A step of the search: take the key of this rank, of all that there are, out of the branches that need it."""

    rank: int


@dataclass(frozen=True, slots=True)
class Split:
    """A step of the search: the branches at `left`, or the others; `swapped` says which of them come first."""

    left: tuple[int, ...]
    swapped: bool


Step: TypeAlias = Factor | Split
Shape: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One path as the search sees it: what is still to be shown."""

    name: str
    keys: frozenset[str]
    order: tuple[str, ...]
    hashes: tuple[bytes, ...]
    after: int | None
    quorum: Quorum | None = None

    @property
    def bare(self) -> bool:
        return not self.keys and not self.hashes and self.after is None and self.quorum is None

    def without(self, key: str) -> Branch:
        order = tuple(other for other in self.order if other != key)
        return replace(self, keys=self.keys - {key}, order=order)

    def covers(self, other: Branch) -> bool:
        """Whether whoever can spend by `other` can spend by this one."""
        return (
            self.keys <= other.keys
            and (self.quorum is None or self.quorum == other.quorum)
            and set(self.hashes) <= set(other.hashes)
            and (self.after is None or (other.after is not None and self.after <= other.after))
        )


@dataclass(frozen=True, slots=True)
class Contract:
    """A compiled policy. templates: the witness of each path, without the script."""

    script: bytes
    descriptor: str
    output: bytes
    templates: Mapping[str, Witness]

    def input_weight(self, path: str) -> int:
        """Weight units of an input that spends by `path`, with its witness."""
        template = self.templates[path]
        size = len(compact_size(len(self.script))) + len(self.script)
        return INPUT_WEIGHT + 1 + sum(map(item_bytes, template)) + size


_DECIDED: Final[dict[Shape, Step | None]] = {}  # by all searches of this process


@lru_cache(maxsize=4096)
def compile_policy(paths: tuple[Path, ...]) -> Contract:
    """The script of a policy. Raises BadKey, and BadPolicy for what has no sane miniscript here."""
    branches = tuple(_branch(path) for path in paths)
    _check_overlap(branches)
    best = Search(len(branches), _DECIDED).best(branches)
    if best is None or not best.sane:
        raise BadPolicy(
            "no sane miniscript says this: a key may stand in one place only, and each alternative needs its own"
        )
    _check_limits(best)
    return Contract(
        script=best.script,
        descriptor=with_checksum(f"wsh({best.text})"),
        output=p2wsh(best.script),
        templates={name: witness for name, witness in best.paths.items() if name is not None},
    )


def _branch(path: Path) -> Branch:
    order = (path.to, *path.signers)
    for key in order:
        check_public(key)
    members = path.quorum.members if path.quorum else ()
    for member in members:
        check_public(member)
    if len({*order, *members}) != len(order) + len(members):
        raise BadPolicy(f"path {path.name!r} names a key twice")
    return Branch(path.name, frozenset(order), order, path.hashes, path.after, path.quorum)


def _check_overlap(branches: tuple[Branch, ...]) -> None:
    if len(branches) > MAX_PATHS:
        raise BadPolicy(f"there are {len(branches)} paths, at most {MAX_PATHS} are allowed")
    for one in branches:
        for other in branches:
            if one is not other and one.covers(other):
                raise BadPolicy(f"path {other.name!r} adds nothing to path {one.name!r}")


def _check_limits(whole: Fragment) -> None:
    if len(whole.script) > MAX_SCRIPT_BYTES:
        raise BadPolicy(f"the script has {len(whole.script)} bytes, at most {MAX_SCRIPT_BYTES} are relayed")
    if max(map(len, whole.paths.values())) >= MAX_STACK_ITEMS:
        raise BadPolicy(f"a witness has more than {MAX_STACK_ITEMS} items")
    if _operations(whole.script) > MAX_OPS:
        raise BadPolicy(f"the script has more than {MAX_OPS} operations")


def _operations(script: bytes) -> int:
    """Opcodes above OP_16 in a script of ours, whose pushes are all direct. A check of many signatures counts once
    more for each of its keys, and their number stands before it."""
    position = count = last = 0
    while position < len(script):
        opcode = script[position]
        position += 1 + (opcode if opcode <= 75 else 0)
        count += opcode > OP_16
        count += last - OP_0 if opcode in CHECK_MANY else 0
        last = opcode
    return count


class Search:
    """Finds the cheapest fragment for a set of branches. `total` is the number of paths of the whole policy: each
    of them pays for every byte of the script.

    decided: the step that was best for each shape that was ever searched. All deals of a protocol have few shapes
    between them, and what takes time is to try the steps that are not the best."""

    def __init__(self, total: int, decided: dict[Shape, Step | None]) -> None:
        self._total = total
        self._decided = decided
        self._known: dict[tuple[Branch, ...], Fragment | None] = {}

    def best(self, branches: tuple[Branch, ...]) -> Fragment | None:
        if branches not in self._known:
            self._known[branches] = self._find(branches)
        return self._known[branches]

    def _find(self, branches: tuple[Branch, ...]) -> Fragment | None:
        if len(branches) == 1:
            return ms.named(_chain(branches[0]), branches[0].name)
        shape = (self._total, *_shape(branches))
        if shape in self._decided:
            step = self._decided[shape]
            return None if step is None else self._take(step, branches)
        made = [(one, step) for step in _steps(branches) if (one := self._take(step, branches)) and one.m]
        best, step = min(made, key=lambda pair: self._cost(pair[0]), default=(None, None))
        if len(self._decided) < MAX_SHAPES:
            self._decided[shape] = step
        return best

    def _cost(self, one: Fragment) -> tuple[int, int, str]:
        sizes = [sum(map(item_bytes, witness)) for witness in one.paths.values()]
        return self._total * len(one.script) + sum(sizes), max(sizes), one.text

    def _take(self, step: Step, branches: tuple[Branch, ...]) -> Fragment | None:
        """What a step makes of the branches, if it makes anything."""
        match step:
            case Factor(rank):
                return self._factored(branches, _keys(branches)[rank])
            case Split(places, swapped):
                left = tuple(branches[at] for at in places)
                right = tuple(branch for at, branch in enumerate(branches) if at not in places)
                return self._split(right, left) if swapped else self._split(left, right)

    def _factored(self, branches: tuple[Branch, ...], key: str) -> Fragment | None:
        """The branches that need `key`'s signature behind it, the others where it is absent."""
        inner = tuple(branch.without(key) for branch in branches if key in branch.keys)
        outer = tuple(branch for branch in branches if key not in branch.keys)
        other = self.best(outer) if outer else None
        if outer and other is None:
            return None
        if inner[0].bare:  # alone, since no branch covers another
            return None if other is None else ms.or_d(ms.pk(key), other, inner[0].name)
        behind = self.best(inner)
        if behind is None:
            return None
        if other is None:
            return ms.and_v(ms.verify(ms.pk(key)), behind)
        return None if behind.keys & other.keys else ms.andor(ms.pk(key), behind, other)

    def _split(self, first: tuple[Branch, ...], second: tuple[Branch, ...]) -> Fragment | None:
        one, other = self.best(first), self.best(second)
        if one is None or other is None or one.keys & other.keys:
            return None
        return ms.or_i(one, other)


def _keys(branches: Iterable[Branch]) -> list[str]:
    """The keys that a step may take out, in order."""
    return sorted({key for branch in branches for key in branch.keys})


def _steps(branches: tuple[Branch, ...]) -> Iterator[Step]:
    for rank in range(len(_keys(branches))):
        yield Factor(rank)
    for size in range(len(branches) - 1):
        for others in combinations(range(1, len(branches)), size):
            yield Split((0, *others), swapped=False)
            yield Split((0, *others), swapped=True)


def _shape(branches: tuple[Branch, ...]) -> Shape:
    """All that the search looks at. Keys and hashes count by their rank, for ties go to the lesser text; so do
    times, whose digits and bytes count besides."""
    quorums = [branch.quorum for branch in branches if branch.quorum is not None]
    members = {key for quorum in quorums for key in quorum.members}
    keys = _ranks({key for branch in branches for key in branch.keys} | members)
    hashes = _ranks({value for branch in branches for value in branch.hashes})
    times = _ranks({str(branch.after) for branch in branches if branch.after is not None})
    return tuple(
        (
            tuple([keys[key] for key in branch.order]),
            tuple([hashes[value] for value in branch.hashes]),
            branch.after and (times[str(branch.after)], len(str(branch.after)), len(script_number(branch.after))),
            branch.quorum and (branch.quorum.threshold, tuple([keys[key] for key in branch.quorum.members])),
        )
        for branch in branches
    )


def _ranks(values: set[Rankable]) -> dict[Rankable, int]:
    return {value: rank for rank, value in enumerate(sorted(values))}


def _chain(branch: Branch) -> Fragment:
    """All conditions of one branch. The time comes last, where it needs no VERIFY."""
    parts = [ms.sha256(value) for value in branch.hashes]
    if branch.quorum is not None:
        parts.append(ms.multi(branch.quorum.threshold, branch.quorum.members))
    parts += [ms.pk(key) for key in branch.order]
    if branch.after is not None:
        parts.append(ms.after(branch.after))
    return reduce(lambda rest, part: ms.and_v(ms.verify(part), rest), reversed(parts[:-1]), parts[-1])


# --- reading a spend -------------------------------------------------------------------------------------


def path_of(contract: Contract, witness: tuple[bytes, ...]) -> str | None:
    """Which path a witness (without the script) took.

    Every choice leaves its mark at a fixed place, so at most one template fits what nodes relay. Consensus alone
    allows more: any true or false selector (MINIMALIF), a wrong signature instead of none (NULLFAIL). With a
    miner's help a spend may look like that, and must not become invisible by it."""
    fitting = [name for name, template in contract.templates.items() if _matches(template, witness, _fits)]
    loose = [name for name, template in contract.templates.items() if _matches(template, witness, _may_fit)]
    return next(iter(fitting or loose), None) if len(fitting or loose) == 1 else None


def _matches(template: Witness, witness: tuple[bytes, ...], fits: Callable[[Item, bytes], bool]) -> bool:
    return len(template) == len(witness) and all(map(fits, template, witness))


def _fits(item: Item, data: bytes) -> bool:
    match item:
        case ms.SigOf() | ms.MemberSig():
            return _is_signature(data)
        case PreimageOf(hash=value):
            return ms.opens(value, data)
        case ms.Choice(first=True):
            return data == b"\x01"
        case ms.Choice() | ms.NoSig() | ms.Dummy():
            return data == b""


def _may_fit(item: Item, data: bytes) -> bool:
    match item:
        case ms.Choice(first=first):
            return first == any((*data[:-1], data[-1] & 0x7F) if data else ())  # a negative zero is false
        case ms.NoSig():
            return not data or _is_signature(data)
    return _fits(item, data)


def _is_signature(data: bytes) -> bool:
    """Whether it has the form of one: consensus refuses anything else but nothing (BIP66)."""
    return len(data) >= MIN_SIGNATURE_BYTES and data[0] == DER_SEQUENCE


def preimages_in(hashes: tuple[bytes, ...], witness: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The preimages of `hashes` that a witness shows, in that order."""
    return tuple(data for value in hashes for data in witness if ms.opens(value, data))
