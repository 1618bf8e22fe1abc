"""The hand-written init code of the vaults: its listing, its bytes and its hash say the same."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from chains.evm.codec import keccak256, selector
from chains.evm.vaults import VAULT_CODE_HASH

SOURCE = Path(__file__).resolve().parents[2] / "chains" / "evm" / "contracts" / "src" / "VaultCode.sol"
LINE = re.compile(r'hex"([0-9a-f]+)";? +// +([0-9a-f]{2}) ([A-Z0-9]+)(?: (0x[0-9a-f]+))?')

# The yellow paper's names for the bytes used (appendix H.2; PUSH0 is EIP-3855)
OPCODES = {
    "EQ": 0x14,
    "ISZERO": 0x15,
    "AND": 0x16,
    "OR": 0x17,
    "XOR": 0x18,
    "CALLER": 0x33,
    "RETURNDATASIZE": 0x3D,
    "MLOAD": 0x51,
    "MSTORE": 0x52,
    "JUMPI": 0x57,
    "GAS": 0x5A,
    "JUMPDEST": 0x5B,
    "PUSH0": 0x5F,
    "PUSH1": 0x60,
    "PUSH4": 0x63,
    "CALL": 0xF1,
    "STATICCALL": 0xFA,
    "REVERT": 0xFD,
    "SELFDESTRUCT": 0xFF,
}


def listing() -> list[tuple[bytes, int, str, str]]:
    """Bytes, offset, mnemonic and operand of each line."""
    text = SOURCE.read_text("utf-8")
    lines = [line for line in text.splitlines() if 'hex"' in line]
    found = [LINE.search(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [(bytes.fromhex(m[1]), int(m[2], 16), m[3], m[4] or "") for m in found if m]


def test_each_line_assembles_to_its_bytes_at_its_offset() -> None:
    at = 0
    for code, offset, mnemonic, operand in listing():
        assert offset == at
        size = int(mnemonic[4:]) if mnemonic.startswith("PUSH") else 0
        value = int(operand, 16).to_bytes(size, "big") if operand else b""
        assert len(value) == size
        assert code == bytes([OPCODES[mnemonic]]) + value
        at += len(code)
    assert at == 64


def test_jumps_land_on_jump_destinations() -> None:
    lines = listing()
    places = {offset: mnemonic for _, offset, mnemonic, _ in lines}
    targets = [int(before[3], 16) for before, line in itertools.pairwise(lines) if line[2] == "JUMPI"]
    assert len(targets) == 3
    assert {places[target] for target in targets} == {"JUMPDEST"}
    assert {offset for offset, mnemonic in places.items() if mnemonic == "JUMPDEST"} == set(targets)


def test_the_hash_is_that_of_the_code_here_and_there() -> None:
    code = b"".join(line[0] for line in listing())
    assert keccak256(code) == VAULT_CODE_HASH
    [stated] = re.findall(r"VAULT_CODE_HASH = 0x([0-9a-f]{64})", SOURCE.read_text("utf-8"))
    assert bytes.fromhex(stated) == VAULT_CODE_HASH


def test_it_calls_the_transfer_of_erc20() -> None:
    [pushed] = [operand for _, _, mnemonic, operand in listing() if mnemonic == "PUSH4"]
    assert bytes.fromhex(pushed[2:]) == selector("transfer(address,uint256)")
