"""The compiled contracts, and what can be read off them: code to deploy, code to expect, names of errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from chains.evm.codec import keccak256, raw_bytes, selector, word, words

SPEAKING = ("Vaults", "BitcoinLightClient", "CollateralRegistry")  # contracts whose errors are put into words


@dataclass(frozen=True, slots=True)
class Artifact:
    """One contract as compiled by `contracts/build.py`.

    bytecode: creation code, before constructor arguments. runtime: deployed code with its immutables zero;
    immutables: where each of them (one word) stands in it. source_hash: keccak256 over all sources.
    """

    contract: str
    compiler: str
    source_hash: str
    bytecode: bytes
    runtime: bytes
    immutables: tuple[int, ...]
    abi: list[dict[str, Any]]


@cache
def load(name: str) -> Artifact:
    """The committed artifact of a contract, e.g. "Vaults"."""
    data = json.loads((files("chains.evm") / "artifacts" / f"{name}.json").read_text("utf-8"))
    return Artifact(
        contract=data["contract"],
        compiler=data["compiler"],
        source_hash=data["source_hash"],
        bytecode=raw_bytes(data["bytecode"]),
        runtime=raw_bytes(data["runtime"]),
        immutables=tuple(data["immutables"]),
        abi=data["abi"],
    )


def factory_code(chain_id: int) -> bytes:
    """The code that stands at a factory deployed on this chain: its only immutable is the chain id."""
    artifact = load("Vaults")
    code = bytearray(artifact.runtime)
    for start in artifact.immutables:
        code[start : start + 32] = word(chain_id)
    return bytes(code)


def factory_code_hash(chain_id: int) -> str:
    """What EXTCODEHASH must say of the factory: whoever uses one compares, for its code holds the money."""
    return "0x" + keccak256(factory_code(chain_id)).hex()


def revert_reason(data: bytes | str) -> str | None:
    """A revert of a contract of ours in words, e.g. "TooEarly(notBefore=1900000000, time=1800000000)"; None if it
    is none of their errors."""
    raw = raw_bytes(data)
    error = _errors().get(raw[:4])
    if error is None:
        return None
    name, inputs = error
    values = [
        f"{label}={_shown(kind, value)}" for (label, kind), value in zip(inputs, words(raw[4:]), strict=False)
    ]
    return f"{name}({', '.join(values)})"


@cache
def _errors() -> dict[bytes, tuple[str, tuple[tuple[str, str], ...]]]:
    """Selector -> name and inputs. All inputs of our errors are one word each."""
    found = {}
    for entry in (entry for name in SPEAKING for entry in load(name).abi if entry["type"] == "error"):
        inputs = tuple((item["name"], item["type"]) for item in entry["inputs"])
        kinds = ",".join(kind for _, kind in inputs)
        found[selector(f"{entry['name']}({kinds})")] = (entry["name"], inputs)
    return found


def _shown(kind: str, value: bytes) -> str:
    if kind == "address":
        return "0x" + value[-20:].hex()
    return "0x" + value.hex() if kind == "bytes32" else str(int.from_bytes(value, "big"))
