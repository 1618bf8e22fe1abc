"""The configuration: strict, every problem at once, secrets never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli_w
from pydantic import BaseModel

from chains.registry import load_family
from relayer.cli.config import redact
from relayer.errors import BadConfig, NoConfig
from relayer.loading import load
from relayer.reference import reference
from relayer.settings import Settings

CONFIGS = Path(__file__).parent.parent.parent / "configs"
EXAMPLE, REFERENCE = CONFIGS / "example.toml", CONFIGS / "reference.toml"

BITCOIN = {"family": "bitcoin", "coin": "bitcoin", "network": "regtest", "url": "http://127.0.0.1:18443"}
GOOD = {"party": {"folder": "alice"}, "chains": {"bitcoin": BITCOIN}}


def write(tmp_path: Path, document: dict) -> Path:
    file = tmp_path / "strikelock.toml"
    file.write_text(tomli_w.dumps(document))
    return file


def test_the_example_is_fine():
    settings = load(EXAMPLE)
    assert set(settings.chains) == {"bitcoin", "evm"}
    assert settings.party.folder == EXAMPLE.parent.resolve() / "alice"


def test_paths_are_relative_to_the_file(tmp_path):
    settings = load(write(tmp_path, {**GOOD, "testing": {"clock_offset_file": "offset"}}))
    assert settings.party.folder == tmp_path / "alice"
    assert settings.testing.clock_offset_file == tmp_path / "offset"


def test_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIKELOCK_PEER__LISTEN", "127.0.0.1:1234")
    settings = load(write(tmp_path, {**GOOD, "peer": {"listen": "127.0.0.1:1", "accept": "all"}}))
    assert settings.peer.listen == "127.0.0.1:1234"
    assert settings.peer.accept == "all"


@pytest.mark.parametrize(
    ("change", "where", "nearest"),
    [
        ({"pear": {}}, "pear", "peer"),
        ({"peer": {"listn": "x"}}, "peer.listn", "listen"),
        ({"risk": {"outtage": 5}}, "risk.outtage", "outage"),
        ({"chains": {"bitcoin": {**BITCOIN, "urll": "x"}}}, "chains.bitcoin.urll", "url"),
        ({"chains": {"bitcoin": {**BITCOIN, "timing": {"dept": 3}}}}, "chains.bitcoin.timing.dept", "depth"),
        ({"fees": {"bitcoin": {"capp": 1}}}, "fees.bitcoin.capp", "cap"),
        ({"fees": {"bitcon": {}}}, "fees.bitcon", "bitcoin"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(tmp_path, change, where, nearest):
    with pytest.raises(BadConfig) as caught:
        load(write(tmp_path, {**GOOD, **change}))
    assert [(problem.where, problem.nearest) for problem in caught.value.problems] == [(where, nearest)]


def test_every_problem_is_said_at_once(tmp_path):
    chain = {**BITCOIN, "network": "moon"}
    document = {
        "party": {},
        "risk": {"miss": 2.0, "outage": -1},
        "chains": {"bitcoin": chain, "x": {"family": "y"}},
    }
    with pytest.raises(BadConfig) as caught:
        load(write(tmp_path, document))
    wrong = {"party.folder", "risk.miss", "risk.outage", "chains.bitcoin.network", "chains.x.family"}
    assert {problem.where for problem in caught.value.problems} == wrong
    assert str(caught.value).count("\n") == len(wrong)


@pytest.mark.parametrize(
    "members",
    [{"02" + "AB" * 32: "http://a"}, {"02ab": "http://a"}, {"02" + "ab" * 32: "ftp://a"}, {"02" + "ab" * 32: ""}],
)
def test_attesters_are_keys_with_urls(tmp_path, members):
    good = {"02" + "ab" * 32: "https://one.example", "03" + "ab" * 32: "http://127.0.0.1:1"}
    assert load(write(tmp_path, {**GOOD, "attesters": good})).attesters == good
    with pytest.raises(BadConfig) as caught:
        load(write(tmp_path, {**GOOD, "attesters": members}))
    assert [problem.where for problem in caught.value.problems] == ["attesters"]


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIKELOCK_PEER__LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("STRIKELOCK_RISK__OUTAGE", "2")
    file = write(tmp_path, {**GOOD, "peer": {"listen": "127.0.0.1:1", "accept": "all"}, "risk": {"outage": 1}})
    settings = load(file, ["peer.listen=127.0.0.1:3", "chains.bitcoin.timeout=7"])
    assert (settings.peer.listen, settings.peer.accept, settings.risk.outage) == ("127.0.0.1:3", "all", 2)
    assert settings.chains["bitcoin"] == {**BITCOIN, "timeout": 7}


@pytest.mark.parametrize("word", ["peer.listen", "=1", "peer..x=1", "peer=1", "risk.outage=soon"])
def test_flags_are_as_strict_as_the_file(tmp_path, word):
    with pytest.raises(BadConfig):
        load(write(tmp_path, GOOD), [word])


def test_the_reference_is_what_the_models_say():
    """After a change of a model: strikelock config reference > configs/reference.toml"""
    assert REFERENCE.read_text() == reference()
    settings = load(REFERENCE)
    assert set(settings.chains) == {"bitcoin", "evm"}
    plain = load(EXAMPLE)
    assert (settings.risk, settings.peer, settings.ops) == (plain.risk, plain.peer, plain.ops)


def test_the_reference_names_every_key():
    text = REFERENCE.read_text()
    for model in (Settings, *(load_family(name).settings for name in ("bitcoin", "evm"))):
        for name in _keys(model):
            assert re.search(rf"^(# )?{name} =|^\[(.*\.)?{name}[.\]]", text, re.MULTILINE), name


def _keys(model):
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation)


ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # EIP-55's first example
LANE = {"source": "bitcoin", "outbox": ADDRESS, "destination": "bitcoin", "inbox": ADDRESS}
LIMIT = {"message": 1, "day": 1}


def test_addresses_are_as_messages_name_them_however_they_are_written(tmp_path):
    """Else a herald in lower case would send what no governor looks at."""
    lane = {**LANE, "outbox": ADDRESS.lower(), "herald": ADDRESS.lower()}
    tables = {"lanes": {"there": lane}, "relay": {"limits": {ADDRESS.lower(): LIMIT, "native": LIMIT}}}
    settings = load(write(tmp_path, {**GOOD, **tables}))
    assert (settings.lanes["there"].outbox, settings.lanes["there"].herald) == (ADDRESS, ADDRESS)
    assert set(settings.relay.limits) == {ADDRESS, "native"}


@pytest.mark.parametrize(
    "tables",
    [
        {"lanes": {"there": {**LANE, "herald": ADDRESS[:-1]}}},
        {"lanes": {"there": {**LANE, "inbox": ADDRESS.replace("aA", "Aa")}}},
        {"relay": {"limits": {"TEST": LIMIT}}},
    ],
    ids=["short", "checksum", "symbol"],
)
def test_what_is_no_address_is_refused(tmp_path, tables):
    with pytest.raises(BadConfig):
        load(write(tmp_path, {**GOOD, **tables}))


def test_a_family_that_is_not_there(tmp_path):
    with pytest.raises(BadConfig, match="bitcorn"):
        load(write(tmp_path, {**GOOD, "chains": {"x": {"family": "bitcorn"}}}))


def test_no_file(tmp_path):
    with pytest.raises(NoConfig):
        load(tmp_path / "nothing.toml")


def test_no_toml(tmp_path):
    file = tmp_path / "strikelock.toml"
    file.write_text("party = {")
    with pytest.raises(BadConfig, match="no TOML"):
        load(file)


def test_secrets_are_not_shown():
    shown = redact(
        {
            "chains": {"b": {"url": "http://alice:secret@127.0.0.1:1/x", "password": "secret", "cookie": "c"}},
            "party": {"passphrase_file": "file"},
        }
    )
    assert "secret" not in str(shown)
    assert shown["chains"]["b"]["url"] == "http://***@127.0.0.1:1/***"
    assert shown["party"]["passphrase_file"] == "file"


@pytest.mark.parametrize("listen", ["0.0.0.0:9960", "192.168.1.5:9960", "example.org:9960", "[::]:9960"])
def test_an_api_beyond_this_machine_wants_authentication(tmp_path, listen):
    assert load(write(tmp_path, {**GOOD, "api": {"listen": listen}})).api.auth
    with pytest.raises(BadConfig) as error:
        load(write(tmp_path, {**GOOD, "api": {"listen": listen, "auth": False}}))
    assert [problem.where for problem in error.value.problems] == ["api"]
    assert listen in str(error.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:9960", "localhost:9960", "[::1]:9960"])
def test_an_api_of_this_machine_may_do_without(tmp_path, listen):
    found = load(write(tmp_path, {**GOOD, "api": {"listen": listen, "auth": False, "socket": "api.sock"}}))
    assert found.api.socket == tmp_path / "api.sock"
