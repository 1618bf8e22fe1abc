"""The seed: others' vectors, the file on disk, and that nothing secret is ever shown."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat

import pytest
from embit import bip39, ec
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement import seed as seeds
from settlement.errors import (
    BadWords,
    SeedDamaged,
    SeedExists,
    SeedExposed,
    SeedMissing,
    SeedUnavailable,
    WrongPassphrase,
)

ABANDON = "abandon " * 11 + "about"
ABANDON_SEED = (  # BIP84's test vectors
    "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
    "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
)
WORDS_24 = (
    "hamster diagram private dutch cause delay private meat slide toddler razor book "
    "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"
)  # BIP39's vectors


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch):
    monkeypatch.setattr(seeds, "SCRYPT_N", 2**4)


def test_words_give_the_seed_of_the_standard():
    assert seeds.from_words(ABANDON).raw.hex() == ABANDON_SEED
    assert seeds.from_words("  " + ABANDON.upper().replace(" ", "\n ")).raw.hex() == ABANDON_SEED


@given(st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
@settings(max_examples=10)
def test_another_library_gives_the_same_seed(entropy):
    words = bip39.mnemonic_from_bytes(entropy)
    assert seeds.from_words(words).raw == bip39.mnemonic_to_seed(words)


def test_new_words_are_24_and_never_the_same():
    first, second = seeds.new_words(), seeds.new_words()
    assert len(first.split()) == 24
    assert first != second
    assert bip39.mnemonic_is_valid(first)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "abandon",
        ABANDON + " about",
        "abandon " * 12,
        ABANDON.replace("about", "abuot"),
        "\x00" * 40,
        "é " * 12,
    ],
)
def test_bad_words_are_refused_without_repeating_them(words):
    with pytest.raises(BadWords) as caught:
        seeds.from_words(words)
    assert "about" not in str(caught.value)
    assert "abuot" not in str(caught.value)


@pytest.mark.parametrize(
    ("salt", "info", "expected"),
    [  # RFC 5869, test cases 1 and 3
        (
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
    ],
)
def test_derivation_is_hkdf(salt, info, expected):
    assert seeds._hkdf(b"\x0b" * 22, salt, info).hex() == expected


def test_secrets_differ_by_seed_nonce_and_label():
    one, two = seeds.Seed(b"\x01" * 64), seeds.Seed(b"\x02" * 64)
    found = {
        seed.secret(nonce * 16, label)
        for seed in (one, two)
        for nonce in (b"\x00", b"\x01")
        for label in ("a", "e", "s")
    }
    assert len(found) == 12
    assert {len(secret) for secret in found} == {32}
    assert one.secret(b"n" * 16, "a") == seeds.secret(one.raw, b"n" * 16, "a")


def test_a_secret_never_changes_between_versions():
    seed = seeds.from_words(ABANDON)
    assert seed.secret(bytes(range(16)), "s").hex() == SECRET_S
    assert seed.identity().public == IDENTITY


SECRET_S = "2e9c30961e251213681e13c78ae2b28de91819d3c6032677a592f2882735c5ce"
IDENTITY = "a326cda4a7630f6f388accbc509bbe4dd756f7bf08463dca6db0642e21c2d614"


def test_an_identity_signs_as_the_standard_says():
    digest = hashlib.sha256(b"message").digest()
    identity = seeds.Identity((3).to_bytes(32, "big"))
    assert (
        identity.public == "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
    )  # BIP340, vector 0
    public = ec.PublicKey.from_xonly(bytes.fromhex(identity.public))
    assert public.schnorr_verify(ec.SchnorrSig(identity.sign(digest)), digest)


def test_nothing_secret_is_shown():
    seed = seeds.Seed(b"\xab" * 64)
    shown = repr(seed) + str(seed) + repr(seed.identity()) + repr({"seed": seed})
    assert "abab" not in shown
    assert "\\xab" not in shown


# --- the file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [ABANDON, WORDS_24])
@pytest.mark.parametrize("passphrase", ["correct horse", "", "pässwörd \U0001f511", "\udcff"])
def test_a_saved_seed_loads_with_its_passphrase_only(tmp_path, words, passphrase):
    path = tmp_path / "keys" / "seed.json"
    saved = seeds.save(path, words, passphrase)
    assert seeds.load(path, passphrase) == saved == seeds.from_words(words)
    with pytest.raises(WrongPassphrase):
        seeds.load(path, passphrase + "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]
    assert not any(word.encode() in path.read_bytes() for word in words.split() if len(word) > 5)


def test_a_seed_is_never_overwritten(tmp_path):
    path = tmp_path / "seed.json"
    seeds.save(path, ABANDON, "p")
    before = path.read_bytes()
    with pytest.raises(SeedExists):
        seeds.save(path, WORDS_24, "p")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["seed.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_seed_that_others_may_read_is_refused(tmp_path, mode):
    path = tmp_path / "seed.json"
    seeds.save(path, ABANDON, "p")
    path.chmod(mode)
    with pytest.raises(SeedExposed) as caught:
        seeds.load(path, "p")
    assert caught.value.mode == f"{mode:04o}"


def test_a_missing_seed_and_an_unreadable_one_have_their_errors(tmp_path):
    with pytest.raises(SeedMissing):
        seeds.load(tmp_path / "seed.json", "p")
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(SeedUnavailable):
        seeds.load(tmp_path / "folder", "p")
    (tmp_path / "file").touch()
    with pytest.raises(SeedUnavailable):
        seeds.save(tmp_path / "file" / "seed.json", ABANDON, "p")


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_file_is_a_typed_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("seed") / "seed.json"
    seeds.save(path, ABANDON, "p")
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    changed = content[:place] if cut else content[:place] + data.draw(st.binary(max_size=4)) + content[place + 1 :]
    path.write_bytes(changed)
    with contextlib.suppress(SeedDamaged, WrongPassphrase):
        assert seeds.load(path, "p") == seeds.from_words(ABANDON)  # white space may change


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("kdf", "n", 2**40),
        ("kdf", "n", 2**4 + 1),
        ("kdf", "n", True),
        ("kdf", "n", "16"),
        ("kdf", "r", 1),
        ("kdf", "name", "md5"),
        ("cipher", "name", "none"),
        ("cipher", "nonce", ""),
    ],
)
def test_weakened_parameters_are_refused(tmp_path, section, field, value):
    path = tmp_path / "seed.json"
    seeds.save(path, ABANDON, "p")
    document = json.loads(path.read_bytes())
    document[section][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(SeedDamaged):
        seeds.load(path, "p")
