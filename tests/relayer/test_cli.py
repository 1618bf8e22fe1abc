"""The command line: help without heavy imports, one JSON document, errors as messages and exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

from chains.testing.bitcoind import Bitcoind

RUN = (sys.executable, "-m", "relayer.cli")
KEY = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
OTHER = "02" + "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"


def call(*words: str, code: int = 0, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([*RUN, *words], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, done.stderr
    return done


def test_help_imports_nothing_heavy():
    heavy = ["web3", "bitcoinlib", "sqlalchemy", "aiohttp", "numpy", "pydantic", "rich.table"]
    program = f"import sys, relayer.cli.main\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "deal",
        "deal propose",
        "leg",
        "keys",
        "nodes",
        "bench",
        "config",
        "db",
        "run",
        "option",
        "attester",
        "offer",
    ],
)
def test_every_command_has_help(command):
    assert "Usage" in call(*command.split(), "--help").stdout


def leg_file(tmp_path: Path, chain: str, claimer: str, funder: str, **changes) -> Path:
    paths = [
        {"name": "claim", "to": claimer, "hashes": ["ab" * 32], "signers": [], "after": None},
        {"name": "refund", "to": funder, "hashes": [], "signers": [], "after": 1_800_000_000},
    ]
    leg = {"chain": chain, "asset": "native", "amount": 100_000, "salt": "00" * 31 + "01", "paths": paths}
    file = tmp_path / f"{chain}.json"
    file.write_text(json.dumps({**leg, **changes}))
    return file


@pytest.mark.node
async def test_leg_show_agrees_with_bitcoind(tmp_path, bitcoind: Bitcoind):
    shown = json.loads(call("leg", "show", str(leg_file(tmp_path, "bitcoin", KEY, OTHER)), "--json").stdout)
    assert set(shown) == {"chain", "address", "script", "descriptor", "terms_hash"}
    assert shown["terms_hash"] is None
    assert await bitcoind.rpc("deriveaddresses", shown["descriptor"]) == [shown["address"]]


def test_leg_show_of_a_vault(tmp_path):
    accounts = ("0x" + "11" * 20, "0x" + "22" * 20)
    shown = json.loads(call("leg", "show", str(leg_file(tmp_path, "evm", *accounts)), "--json").stdout)
    assert shown["script"] is None
    assert shown["descriptor"] is None
    assert len(bytes.fromhex(shown["terms_hash"].removeprefix("0x"))) == 32
    again = leg_file(tmp_path, "evm", *accounts, amount=100_001)
    assert json.loads(call("leg", "show", str(again), "--json").stdout)["address"] != shown["address"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": 0}, "BadAmount"),
        ({"amount": 1}, "Dust"),
        ({"asset": "0x" + "11" * 20}, "BadAsset"),
        ({"salt": "00"}, "MalformedLeg"),
        ({"colour": "red"}, "MalformedLeg"),
        ({"paths": []}, "BadPolicy"),
    ],
)
def test_bad_legs_are_refused(tmp_path, changes, error):
    done = call("leg", "show", str(leg_file(tmp_path, "bitcoin", KEY, OTHER, **changes)), "--json", code=1)
    assert json.loads(done.stdout)["error"]["type"] == error
    assert done.stderr.startswith("error: ")


def test_keys_are_made_once(tmp_path):
    chain = {"family": "bitcoin", "coin": "bitcoin", "network": "regtest", "url": "http://127.0.0.1:1"}
    config = tmp_path / "strikelock.toml"
    config.write_text(tomli_w.dumps({"party": {"folder": "p"}, "chains": {"bitcoin": chain}}))
    environment = {"STRIKELOCK_PASSPHRASE": "x", "PATH": "/usr/bin"}
    made = json.loads(call("keys", "new", "-c", str(config), "--json", env=environment).stdout)
    assert len(made["words"].split()) == 24
    seed = Path(made["file"])
    assert seed.stat().st_mode & 0o777 == 0o600
    assert " ".join(made["words"].split()[:2]) not in seed.read_text()  # one word may well be in it
    again = call("keys", "new", "-c", str(config), "--json", env=environment, code=1)
    assert json.loads(again.stdout)["error"]["type"] == "SeedExists"


def test_an_attesters_key_follows_from_its_seed(tmp_path):
    config = tmp_path / "strikelock.toml"
    config.write_text(tomli_w.dumps({"party": {"folder": "p"}, "chains": {}}))
    environment = {"STRIKELOCK_PASSPHRASE": "x", "PATH": "/usr/bin"}
    call("keys", "new", "-c", str(config), env=environment)
    shown, again = (
        json.loads(call("attester", "key", "-c", str(config), "--json", env=environment).stdout) for _ in range(2)
    )
    assert shown == again
    assert len(bytes.fromhex(shown["member"])) == 33
    words = call("attester", "key", "-c", str(config), env=environment).stdout
    assert words.strip() == f'"{shown["member"]}" = "{shown["url"]}"'  # a line of the table `attesters`


def test_no_passphrase_and_nobody_to_ask(tmp_path):
    config = tmp_path / "strikelock.toml"
    config.write_text(tomli_w.dumps({"party": {"folder": "p"}, "chains": {}}))
    done = call("keys", "new", "-c", str(config), code=1, stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin"})
    assert "STRIKELOCK_PASSPHRASE" in done.stderr


def test_an_empty_list_of_deals(tmp_path):
    config = tmp_path / "strikelock.toml"
    config.write_text(tomli_w.dumps({"party": {"folder": "."}, "chains": {}}))
    assert json.loads(call("deal", "list", "-c", str(config), "--json").stdout) == {"deals": [], "proposals": []}
    done = call("deal", "refund", "0" * 32, "-c", str(config), "--json", code=1)
    assert json.loads(done.stdout)["error"]["type"] == "NoSuchDeal"


ENDS_WHAT_IT_STARTED = """
import asyncio
from relayer.cli.output import run

async def work():
    try:
        print("started", flush=True)
        await asyncio.sleep(100)
    finally:
        print("ended", flush=True)

run(work(), as_json=False)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_stopped_ends_what_it_started(number) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS_WHAT_IT_STARTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == "ended\n"
    assert "interrupted" in err
    assert process.returncode != 0
