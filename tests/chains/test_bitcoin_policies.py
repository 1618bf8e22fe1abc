"""From policies to scripts: the pinned scripts of the protocols, refusals, and other people's implementations."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from embit.descriptor import Descriptor
from embit.networks import NETWORKS as EMBIT
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.compiler import (
    MAX_PATHS,
    Contract,
    Search,
    _branch,
    compile_policy,
    path_of,
    preimages_in,
)
from chains.bitcoin.encoding import segwit_address
from chains.bitcoin.keys import public_key
from chains.bitcoin.miniscript import Choice, Dummy, MemberSig, NoSig, PreimageOf, SigOf, item_bytes
from chains.bitcoin.transaction import OUTPUT_P2WPKH_WEIGHT, OVERHEAD_WEIGHT, vbytes
from chains.errors import BadKey, BadPolicy
from chains.legs import MAX_TIME, MIN_TIME, Path, Quorum

TIME = 1_800_000_000
SECRETS = [hashlib.sha256(b"preimage %d" % index).digest() for index in range(6)]
HASHES = [hashlib.sha256(secret).digest() for secret in SECRETS]
KEYS = [public_key(hashlib.sha256(b"key %d" % index).digest()).hex() for index in range(40)]
OTHER_KEYS = [public_key(hashlib.sha256(b"other key %d" % index).digest()).hex() for index in range(40)]
OTHER_HASHES = [hashlib.sha256(b"other hash %d" % index).digest() for index in range(12)]
W, B, OTHER = KEYS[:3]

SWAP = (Path("claim", B, (HASHES[0],)), Path("refund", W, after=TIME))
COLLATERAL = (
    Path("exercise", B, (HASHES[0], HASHES[1])),
    Path("refund", W, after=TIME),
    Path("release", W, signers=(OTHER,)),
)
STRIKE = (
    Path("exercise", W, (HASHES[1],)),
    Path("refund", B, after=TIME),
    Path("release", B, signers=(OTHER,)),
)


def attested(threshold: int, count: int) -> tuple[Path, ...]:
    """The collateral of an attested option."""
    quorum = Quorum(threshold, tuple(KEYS[3 : 3 + count]))
    return (Path("exercise", B, (HASHES[0], HASHES[1]), quorum=quorum), Path("refund", W, after=TIME))


def sizes(contract: Contract) -> dict[str, int]:
    """Virtual size of one input and one P2WPKH output, by path."""
    overhead = OVERHEAD_WEIGHT + OUTPUT_P2WPKH_WEIGHT
    return {name: vbytes(overhead + contract.input_weight(name)) for name in contract.templates}


def shape(contract: Contract) -> str:
    """The descriptor with short names."""
    text = contract.descriptor.partition("#")[0]
    names = {W: "W", B: "B", OTHER: "O", HASHES[0].hex(): "h0", HASHES[1].hex(): "h1", str(TIME): "T"}
    for value, name in names.items():
        text = text.replace(value, name)
    return text


@pytest.mark.parametrize(
    ("paths", "text", "figures"),
    [
        (SWAP, "wsh(andor(pk(B),sha256(h0),and_v(v:pk(W),after(T))))", {"claim": 139, "refund": 131}),
        (
            COLLATERAL,
            "wsh(andor(pk(W),or_d(pk(O),after(T)),and_v(v:sha256(h0),and_v(v:sha256(h1),pk(B)))))",
            {"exercise": 167, "refund": 150, "release": 168},
        ),
        (
            STRIKE,
            "wsh(andor(pk(B),or_d(pk(O),after(T)),and_v(v:sha256(h1),pk(W))))",
            {"exercise": 149, "refund": 141, "release": 158},
        ),
    ],
)
def test_scripts_of_the_protocols_are_pinned(paths, text, figures) -> None:
    """A change here moves the addresses of open deals: parties of two versions would not agree any more."""
    contract = compile_policy(paths)
    assert shape(contract) == text
    assert sizes(contract) == figures


@pytest.mark.parametrize(
    ("threshold", "count", "figures"),
    [
        (3, 3, {"exercise": 238, "refund": 168}),
        (3, 4, {"exercise": 247, "refund": 176}),
        (5, 7, {"exercise": 308, "refund": 202}),
        (7, 9, {"exercise": 361, "refund": 219}),
    ],
)
def test_scripts_of_attested_collateral_are_pinned(threshold, count, figures) -> None:
    contract = compile_policy(attested(threshold, count))
    members = ",".join(KEYS[3 : 3 + count])
    text = shape(contract).replace(members, "M")
    exercise = f"and_v(v:sha256(h0),and_v(v:sha256(h1),multi({threshold},M)))"
    assert text == f"wsh(andor(pk(B),{exercise},and_v(v:pk(W),after(T))))"
    assert sizes(contract) == figures


def test_operations_of_a_quorum_count_its_keys() -> None:
    """201 at most, by consensus: the keys, and fifteen opcodes that stand there."""
    from chains.bitcoin.compiler import _operations

    script = compile_policy(attested(7, 9)).script
    assert _operations(script) == 9 + 15


def test_pinned_script_bytes() -> None:
    script = compile_policy(SWAP).script.hex()
    assert script == (f"21{B}ac6421{W}ad0400d2496bb167820120" + f"88a820{HASHES[0].hex()}8768")


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ((Path("a", W, signers=(W,)),), "names a key twice"),
        ((Path("a", W, quorum=Quorum(1, (W, B))),), "names a key twice"),
        ((Path("a", W, signers=(B,), quorum=Quorum(1, (B, OTHER))),), "names a key twice"),
        # who can spend without a quorum needs no path with one; nor can two quorums share a member
        ((Path("a", W), Path("b", W, quorum=Quorum(1, (B,)))), "adds nothing"),
        (
            (Path("a", W, quorum=Quorum(1, (B, OTHER))), Path("b", KEYS[3], quorum=Quorum(2, (B, OTHER)))),
            "no sane miniscript",
        ),
        ((Path("a", W), Path("b", W, after=TIME)), "adds nothing"),
        ((Path("a", W, after=TIME), Path("b", W, after=TIME)), "adds nothing"),
        ((Path("a", W, after=TIME), Path("b", W, after=TIME + 1)), "adds nothing"),
        # two hashes of one key: whoever sees one preimage could swap the witness for the other
        ((Path("a", W, (HASHES[0],)), Path("b", W, (HASHES[1],))), "no sane miniscript"),
        ((Path("a", W, (HASHES[0],)), Path("b", W, after=TIME)), "no sane miniscript"),
        # a key that can't be factored out
        ((Path("a", W, (), (B,)), Path("b", B, (), (OTHER,)), Path("c", OTHER, (), (W,))), "no sane miniscript"),
        (tuple(Path(f"p{index}", key) for index, key in enumerate(KEYS[: MAX_PATHS + 1])), "at most"),
        ((Path("a", W, (), tuple(KEYS[3:])), Path("b", B, (), (OTHER,))), None),
    ],
)
def test_what_is_refused(paths: tuple[Path, ...], reason: str | None) -> None:
    if reason is None:
        compile_policy(paths)
        return
    with pytest.raises(BadPolicy, match=reason):
        compile_policy(paths)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "zz",
        W.upper(),
        W[2:],
        "04" + W[2:],
        "02" + "ff" * 32,
        "02" + "00" * 32,
        W + "00",
        "0x" + W,
        " " + W,
    ],
)
def test_bad_keys(key: str) -> None:
    for path in (Path("a", key), Path("a", W, signers=(key,))):
        with pytest.raises(BadKey):
            compile_policy((path,))


def test_script_too_long() -> None:
    many = [public_key(hashlib.sha256(b"many %d" % index).digest()).hex() for index in range(104)]
    with pytest.raises(BadPolicy, match="at most 3600 are relayed"):
        compile_policy((Path("a", many[0], (), tuple(many[1:])),))
    with pytest.raises(BadPolicy, match="items"):
        compile_policy((Path("a", many[0], (), tuple(many[1:101])),))


# --- any policy ------------------------------------------------------------------------------------------


@st.composite
def policies(draw: st.DrawFn) -> tuple[Path, ...]:
    """Policies as protocols have them: a recipient may have several paths, every other key stands once."""
    spare = iter(KEYS)
    paths: list[Path] = []
    for recipient in range(draw(st.integers(1, 3))):
        key = next(spare)
        for _ in range(draw(st.integers(1, 2))):
            if len(paths) == MAX_PATHS:
                break
            hashes = draw(st.lists(st.sampled_from(HASHES), max_size=2, unique=True))
            signers = tuple(next(spare) for _ in range(draw(st.integers(0, 2))))
            after = draw(st.none() | st.integers(MIN_TIME, MAX_TIME))
            members = tuple(next(spare) for _ in range(draw(st.integers(0, 3))))
            quorum = Quorum(draw(st.integers(1, len(members))), members) if members else None
            paths.append(Path(f"p{recipient}-{len(paths)}", key, tuple(hashes), signers, after, quorum))
    return tuple(paths)


def compiled(paths: tuple[Path, ...]) -> Contract | None:
    try:
        return compile_policy(paths)
    except BadPolicy:
        return None


@given(policies())
def test_another_implementation_agrees(paths: tuple[Path, ...]) -> None:
    """embit parses the descriptor (with its checksum) to the same script and address."""
    if (contract := compiled(paths)) is None:
        return
    other = Descriptor.from_string(contract.descriptor)
    assert other.witness_script().data == contract.script
    assert other.address(EMBIT["regtest"]) == segwit_address("bcrt", contract.output)


@given(policies())
def test_every_path_has_a_witness_that_shows_what_it_asks_for(paths: tuple[Path, ...]) -> None:
    if (contract := compiled(paths)) is None:
        return
    assert contract.templates.keys() == {path.name for path in paths}
    for path in paths:
        template = contract.templates[path.name]
        assert {item.key for item in template if isinstance(item, SigOf)} == {path.to, *path.signers}
        places = [item.place for item in template if isinstance(item, MemberSig)]
        assert places == list(range(path.quorum.threshold if path.quorum else 0))
        assert {item.hash for item in template if isinstance(item, PreimageOf)} == set(path.hashes)


@given(policies(), st.data())
def test_paths_are_told_apart(paths: tuple[Path, ...], data: st.DataObject) -> None:
    if (contract := compiled(paths)) is None:
        return
    path = data.draw(st.sampled_from(paths))
    shown = []
    for item in contract.templates[path.name]:
        match item:
            case SigOf() | MemberSig():
                shown.append(b"\x30" + data.draw(st.binary(min_size=68, max_size=72)))
            case PreimageOf(hash=value):
                shown.append(SECRETS[HASHES.index(value)])
            case Choice(first=True):
                shown.append(b"\x01")
            case Choice() | NoSig() | Dummy():
                shown.append(b"")
    witness = tuple(shown)
    assert path_of(contract, witness) == path.name
    assert preimages_in(path.hashes, witness) == tuple(SECRETS[HASHES.index(value)] for value in path.hashes)
    assert sum(map(item_bytes, contract.templates[path.name])) >= sum(map(len, witness)) - 2 * len(witness)


def renamed(paths: tuple[Path, ...], keys: list[str], hashes: list[bytes], later: int) -> tuple[Path, ...]:
    """The same policy of other keys and hashes, in the same order of all of them, and of later times."""
    used = {
        key for path in paths for key in (path.to, *path.signers, *(path.quorum.members if path.quorum else ()))
    }
    key_of = dict(zip(sorted(used), sorted(keys[: len(used)]), strict=True))
    shown = sorted({value for path in paths for value in path.hashes})
    hash_of = dict(zip(shown, sorted(hashes[: len(shown)]), strict=True))
    return tuple(
        replace(
            path,
            to=key_of[path.to],
            hashes=tuple(hash_of[value] for value in path.hashes),
            signers=tuple(key_of[key] for key in path.signers),
            after=None if path.after is None else path.after + later,
            quorum=path.quorum
            and Quorum(path.quorum.threshold, tuple(key_of[key] for key in path.quorum.members)),
        )
        for path in paths
    )


@given(policies(), st.permutations(OTHER_KEYS), st.permutations(OTHER_HASHES), st.integers(0, 9))
def test_what_was_decided_once_is_what_a_search_finds(paths, keys, hashes, later) -> None:
    if compiled(paths) is None:
        return
    decided: dict = {}
    other = renamed(paths, keys, hashes, later)
    branches = [tuple(map(_branch, policy)) for policy in (paths, other)]
    for policy in (*branches, branches[0]):
        remembered, afresh = Search(len(policy), decided).best(policy), Search(len(policy), {}).best(policy)
        assert remembered == afresh
        if remembered is not None:
            assert list(remembered.paths) == list(afresh.paths)


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_witness_confuses_the_reader(witness: list[bytes]) -> None:
    for paths in (SWAP, COLLATERAL, STRIKE):
        contract = compile_policy(paths)
        path = path_of(contract, tuple(witness))
        assert path is None or len(contract.templates[path]) == len(witness)


def test_spends_that_only_a_miner_could_place_are_read() -> None:
    swap = compile_policy(SWAP)
    signature = b"\x30" + bytes(70)
    assert path_of(swap, (signature, b"")) == "refund"
    assert path_of(swap, (signature, signature)) == "refund"  # a wrong signature instead of none
    assert path_of(swap, (SECRETS[0], signature)) == "claim"
    assert path_of(swap, (SECRETS[1], signature)) is None
    split = compile_policy((Path("a", W, (HASHES[0],), (KEYS[3],), TIME), Path("b", B, (HASHES[1],), (), TIME)))
    for name, template in split.templates.items():
        for item in template:
            if isinstance(item, Choice):
                assert item.first == (name in "ab")


def test_compiling_is_quick_and_does_not_depend_on_names() -> None:
    renamed = tuple(Path(f"x{path.name}", path.to, path.hashes, path.signers, path.after) for path in COLLATERAL)
    assert compile_policy(renamed).script == compile_policy(COLLATERAL).script


@given(policies(), st.randoms())
def test_the_order_of_paths_does_not_matter(paths: tuple[Path, ...], random) -> None:
    shuffled = list(paths)
    random.shuffle(shuffled)
    one, other = compiled(paths), compiled(tuple(shuffled))
    assert (one and one.script) == (other and other.script)
