"""The slow twin of the light client's rules: compact targets, retargets and Bitcoin's own headers."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.headers import (
    RULES,
    Anchor,
    BadHeader,
    HeaderTree,
    bits_in,
    bits_of,
    previous_of,
    split,
    target_of,
    time_of,
    work_of,
)
from chains.bitcoin.mining import mine

CONTRACTS = Path(__file__).resolve().parents[2] / "chains" / "evm" / "contracts"
FIRST_HEIGHT = 741_874
RETARGET = 741_888
RETARGET_HASH = "0000000000000000000745d7eb5b20176409264bf9ea399d977e24fa3d3186f5"

# src/test/arith_uint256_tests.cpp of Bitcoin Core: compact forms that are the only one of their target
COMPACT = {
    0x02008000: 0x80,
    0x01120000: 0x12,
    0x05009234: 0x92340000,
    0x04123456: 0x12345600,
    0x20123456: 0x123456 << 232,
}
NOT_COMPACT = (0, 0x00123456, 0x01003456, 0x02000056, 0x01FEDCBA, 0x04923456, 0x01123456, 0xFF123456)

# src/test/pow_tests.cpp: the epoch's first timestamp; its last block: height, timestamp, target; the next target
NEXT_WORK = (
    (1261130161, 32255, 1262152739, 0x1D00FFFF, 0x1D00D86A),
    (1231006505, 2015, 1233061996, 0x1D00FFFF, 0x1D00FFFF),  # not above the limit
    (1279008237, 68543, 1279297671, 0x1C05A3F4, 0x1C0168FD),  # a quarter at least
    (1263163443, 46367, 1269211443, 0x1C387F6F, 0x1D00E1FD),  # four times at most
)


def mainnet() -> tuple[list[bytes], bytes]:
    """The headers that the contract's tests use (their source is named there), and the first one of their
    epoch."""
    text = (CONTRACTS / "test" / "Mainnet.sol").read_text("utf-8")
    first, *headers = (bytes.fromhex(found) for found in re.findall(r'hex"([0-9a-f]{160})"', text))
    return headers, first


def mainnet_tree(headers: list[bytes], first: bytes, at: int = 10) -> HeaderTree:
    anchor = Anchor(headers[at], FIRST_HEIGHT + at, 1, time_of(first), bits_in(first))
    return HeaderTree(RULES["mainnet"], anchor, headers[:at])


@pytest.mark.parametrize(("bits", "target"), COMPACT.items())
def test_compact_targets(bits: int, target: int) -> None:
    assert target_of(bits) == target
    assert bits_of(target) == bits


@pytest.mark.parametrize("bits", NOT_COMPACT)
def test_no_other_form_is_a_target(bits: int) -> None:
    with pytest.raises(ValueError, match="compact"):
        target_of(bits)


@given(st.integers(1, 2**256 - 1))
def test_the_compact_form_rounds_down(target: int) -> None:
    rounded = target_of(bits_of(target))
    assert rounded <= target < rounded + (1 << max(0, target.bit_length() - 15))
    assert bits_of(rounded) == bits_of(target)


@pytest.mark.parametrize(("first", "height", "last", "bits", "expected"), NEXT_WORK)
def test_next_targets_as_bitcoin_core_has_them(
    first: int, height: int, last: int, bits: int, expected: int
) -> None:
    header = bytes(68) + last.to_bytes(4, "little") + bits.to_bytes(4, "little") + bytes(4)
    tree = HeaderTree(RULES["mainnet"], Anchor(header, height, 1, first, bits))
    assert tree.expected_bits(double_sha256(header), last + 600) == expected


def test_bitcoins_own_headers_across_a_retarget() -> None:
    headers, first = mainnet()
    for header, following in itertools.pairwise(headers):
        assert previous_of(following) == double_sha256(header)
    for header in (first, *headers):  # their work is their own witness
        exponent, mantissa = header[75], int.from_bytes(header[72:75], "little")
        assert int.from_bytes(double_sha256(header), "little") <= mantissa * 256 ** (exponent - 3)
    assert double_sha256(headers[RETARGET - FIRST_HEIGHT])[::-1].hex() == RETARGET_HASH
    tree = mainnet_tree(headers, first)
    tree.submit(headers[11:], time_of(headers[-1]))
    assert tree.height == FIRST_HEIGHT + len(headers) - 1
    assert tree.work == 1 + 3 * work_of(0x17094B6A) + 12 * work_of(0x170984CC)
    with pytest.raises(BadHeader, match="TooFarAhead"):
        mainnet_tree(headers, first).submit(headers[11:], time_of(headers[12]) - 7201)


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    headers, first = mainnet()
    tree = mainnet_tree(headers, first)
    tip = tree.tip
    bad = headers[14][:76] + bytes(4)
    with pytest.raises(BadHeader, match=f"height {FIRST_HEIGHT + 14} refused: InsufficientWork"):
        tree.submit([*headers[11:14], bad], time_of(headers[-1]))
    assert tree.tip == tip
    with pytest.raises(BadHeader, match="UnknownParent"):
        tree.submit(headers[13:], time_of(headers[-1]))


def test_headers_are_cut_at_their_ends() -> None:
    headers, _ = mainnet()
    assert list(split(b"".join(headers))) == headers


def test_a_mined_header_meets_its_target() -> None:
    header = mine(bytes(32), b"\1" * 32, 1_700_000_000, 0x2000FFFF)
    assert int.from_bytes(double_sha256(header), "little") <= target_of(0x2000FFFF)
    assert (time_of(header), bits_in(header)) == (1_700_000_000, 0x2000FFFF)


@pytest.mark.parametrize("name", RULES)
def test_only_mainnet_is_secure(name: str) -> None:
    assert RULES[name].insecure == (name != "mainnet")
