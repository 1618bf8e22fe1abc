"""The committed artifacts are what the committed sources compile to, and forge tests the same code."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chains.evm import artifact
from chains.evm.codec import keccak256, word

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "chains" / "evm" / "contracts"


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CONTRACTS))
        yield importlib.import_module("build")


@pytest.mark.slow
def test_sources_compile_to_the_artifacts_byte_for_byte(build: ModuleType) -> None:
    committed = {path.name: path.read_text("utf-8") for path in (CONTRACTS.parent / "artifacts").glob("*.json")}
    assert committed == build.compile_all()


def test_artifacts_name_their_compiler_and_sources(build: ModuleType) -> None:
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]["solc"]
    for name in build.CONTRACTS:
        made = artifact.load(name)
        assert made.contract == name
        assert made.compiler.startswith(f"{wanted}+commit.")
        assert made.source_hash == build.source_hash(build.sources())


def test_the_source_hash_sees_every_change(build: ModuleType) -> None:
    texts = build.sources()
    hashes = {build.source_hash(texts)}
    for name in texts:
        hashes.add(build.source_hash({**texts, name: texts[name] + " "}))
    hashes.add(build.source_hash({**texts, "src/Other.sol": ""}))
    assert len(hashes) == 2 + len(texts)


def test_forge_compiles_what_is_shipped_with_the_same_settings(build: ModuleType) -> None:
    profile = tomllib.loads((CONTRACTS / "foundry.toml").read_text("utf-8"))["profile"]["default"]
    assert profile["evm_version"] == build.SETTINGS["evmVersion"]
    assert profile["offline"] is True
    assert {entry["paths"] for entry in profile["compilation_restrictions"]} == {
        f"src/{name}.sol" for name in build.CONTRACTS
    }
    for entry in [*profile["additional_compiler_profiles"], *profile["compilation_restrictions"]]:
        assert entry["via_ir"] is build.SETTINGS["viaIR"]
        assert entry["optimizer_runs"] == build.SETTINGS["optimizer"]["runs"]


def test_a_source_with_an_error_is_named(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Bad.sol").write_text("contract Bad { uint x = y; }")
    monkeypatch.setattr(build, "sources", lambda: {"src/Bad.sol": (tmp_path / "src" / "Bad.sol").read_text()})
    with pytest.raises(build.CompilationFailed, match="Undeclared identifier"):
        build.compile_all()


def test_the_chain_id_is_the_factorys_only_immutable() -> None:
    made = artifact.load("Vaults")
    assert made.immutables
    code = bytearray(artifact.factory_code(31337))
    for start in made.immutables:
        assert code[start : start + 32] == word(31337)
        code[start : start + 32] = bytes(32)
    assert bytes(code) == made.runtime
    code = bytearray(artifact.factory_code(31337))
    assert artifact.factory_code_hash(31337) == "0x" + keccak256(code).hex()
    assert artifact.factory_code_hash(1) != artifact.factory_code_hash(31337)


def test_selectors_and_topics_in_assembly_are_those_of_their_signatures() -> None:
    """Solidity cannot take them from the names inside assembly, so they stand there as numbers."""
    source = (CONTRACTS / "src" / "Vaults.sol").read_text("utf-8")
    found = re.findall(r"(0x[0-9a-f]{8})\b\)?;? // ([A-Za-z]+\([a-z0-9,]*\))", source)
    assert len(found) == 3
    for number, signature in found:
        assert number == "0x" + keccak256(signature.encode())[:4].hex(), signature
