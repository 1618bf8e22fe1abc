"""Compile the contracts and write the artifacts that Python loads: `python chains/evm/contracts/build.py`.

Goes to the compiler directly, not through forge, so that the settings which fix the bytes stand here in one place.
`tests/contracts` compiles again and compares byte for byte, and compares these settings with forge's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from Crypto.Hash import keccak

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
ARTIFACTS = HERE.parent / "artifacts"
CONTRACTS = (
    "Vaults",
    "TestToken",
    "Outbox",
    "Inbox",
    "Quorum",
    "Herald",
    "Bulletin",
    "TestRecipient",
    "BitcoinLightClient",
    "CollateralRegistry",
)
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",  # the oldest with EIP-1153 and EIP-6780, which the vaults stand on
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 1_000_000},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},  # bytes must not depend on where they were made
    "outputSelection": {
        "*": {
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences",
            ]
        }
    },
}
ACCEPTED_WARNINGS = {
    "2394",  # transient storage is not cleared: that it lasts to the end of the transaction is its use
    "3628",  # payable fallback without `receive`: it refuses coin itself
}
TIMEOUT = 300.0  # seconds; a compilation takes about two


@dataclass(eq=False)
class CompilationFailed(Exception):
    """The compiler did not run or found errors in the sources."""

    message: str

    def __str__(self) -> str:
        return f"the contracts do not compile: {self.message}"


def solc(*arguments: str, stdin: str = "") -> str:
    """Run the compiler's wrapper. Raises CompilationFailed."""
    command = [str(HERE / "solc"), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilationFailed(str(error)) from error
    if done.returncode != 0:
        raise CompilationFailed(done.stderr.strip())
    return done.stdout


def sources() -> dict[str, str]:
    """Every source by its name relative to `contracts/`, as forge names it."""
    return {path.relative_to(HERE).as_posix(): path.read_text("utf-8") for path in sorted(SOURCES.rglob("*.sol"))}


def source_hash(texts: dict[str, str]) -> str:
    """keccak256 over names and texts of all sources, each closed by a zero byte."""
    digest = keccak.new(digest_bits=256)
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return "0x" + digest.hexdigest()


def compile_all() -> dict[str, str]:
    """File name -> text of each artifact. Raises CompilationFailed."""
    texts = sources()
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": SETTINGS,
    }
    answer = json.loads(solc("--standard-json", stdin=json.dumps(request)))
    found = [entry for entry in answer.get("errors", ()) if entry["errorCode"] not in ACCEPTED_WARNINGS]
    errors = [entry["formattedMessage"] for entry in found]
    if errors:
        raise CompilationFailed("\n".join(errors))
    version = solc("--version").rsplit("Version: ", 1)[-1].strip()
    origin = {"compiler": version, "settings": {k: v for k, v in SETTINGS.items() if k != "outputSelection"}}
    origin["source_hash"] = source_hash(texts)
    return {
        f"{name}.json": render(name, answer["contracts"][f"src/{name}.sol"][name], origin) for name in CONTRACTS
    }


def render(name: str, output: dict[str, Any], origin: dict[str, Any]) -> str:
    """One artifact: what it was made from, ABI, creation and runtime code, where immutables stand in it."""
    deployed = output["evm"]["deployedBytecode"]
    places = [place["start"] for spots in deployed["immutableReferences"].values() for place in spots]
    artifact = {
        "contract": name,
        **origin,
        "bytecode": "0x" + output["evm"]["bytecode"]["object"],
        "runtime": "0x" + deployed["object"],
        "immutables": sorted(places),
        "abi": output["abi"],
    }
    return json.dumps(artifact, indent=1) + "\n"


def main() -> int:
    try:
        artifacts = compile_all()
    except CompilationFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    ARTIFACTS.mkdir(exist_ok=True)
    for name, text in artifacts.items():
        (ARTIFACTS / name).write_text(text, "utf-8")
        sys.stdout.write(f"{name}: {len(json.loads(text)['runtime']) // 2 - 1} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
