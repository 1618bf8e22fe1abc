"""The seed: BIP39 words, kept encrypted, from which every key and secret of a party is derived.

    seed      64 bytes, BIP39 of the words (the BIP39 passphrase stays empty)
    secret    HKDF-SHA256 (RFC 5869) of the seed, salt = our nonce of the deal, info = label
    identity  BIP340 key from HKDF of the seed, the same in every deal
    attester  ECDSA key from HKDF of the seed, of a member of quorums; `chains.quorum` makes each deal's from it
    record    key from HKDF of the seed that encrypts what we keep on chains (`settlement.record`)

The words are shown once, when the seed is made. On disk there is only the entropy, under a passphrase
(scrypt, RFC 7914) and ChaCha20-Poly1305 (RFC 8439).
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey, PublicKeyXOnly
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from mnemonic import Mnemonic

from htlc.terms import NONCE_BYTES as DEAL_NONCE_BYTES
from settlement.errors import (
    BadWords,
    SeedDamaged,
    SeedExists,
    SeedExposed,
    SeedMissing,
    SeedUnavailable,
    WrongPassphrase,
)

SECRET_BYTES = 32  # a preimage on every chain
STRENGTH = 256  # bits of entropy: 24 words
SCRYPT_N = 2**15  # 32 MiB and a tenth of a second: what a passphrase guess costs
SCRYPT_N_MAX = 2**20  # a file must not make us take more than 1 GiB
SCRYPT_R = 8
SCRYPT_P = 1
SALT_BYTES = 16
NONCE_BYTES = 12
FORM = "strikelock-seed/1"
FILE_MODE = 0o600
MAX_FILE = 4096
SECRET_INFO = b"strikelock/secret/1/"
IDENTITY_INFO = b"strikelock/identity/1"
ATTESTER_INFO = b"strikelock/attester/1"
RECORD_INFO = b"strikelock/record/1"
RECORD_BYTES = 64  # two keys of AES-256 (RFC 5297)


@dataclass(frozen=True, slots=True)
class Seed:
    """A party's seed. `raw` is what wallets derive from (`Chain.wallet(seed.raw)`); never logged, never shown."""

    raw: bytes

    def __repr__(self) -> str:
        return "Seed(...)"

    def nonce(self) -> bytes:
        """A fresh nonce for a deal: it is random, so that a restored backup never repeats one."""
        return os.urandom(DEAL_NONCE_BYTES)

    def secret(self, nonce: bytes, label: str) -> bytes:
        """The 32-byte preimage for one label of the deal in which our nonce is `nonce`."""
        return secret(self.raw, nonce, label)

    def identity(self) -> Identity:
        """The key that signs our messages."""
        return Identity(_hkdf(self.raw, b"", IDENTITY_INFO))

    def attester(self) -> bytes:
        """The secret key of the attester that this seed is."""
        return _hkdf(self.raw, b"", ATTESTER_INFO)

    def record_key(self) -> bytes:
        """The key that encrypts our records, 64 bytes; nobody else has a use for it."""
        return _hkdf(self.raw, b"", RECORD_INFO, RECORD_BYTES)


def public_member(secret: bytes) -> str:
    """How an attester stands in terms: its compressed public key, hex."""
    return PrivateKey(secret).public_key.format().hex()


def secret(seed: bytes, nonce: bytes, label: str) -> bytes:
    """HKDF-SHA256(ikm=seed, salt=nonce, info="strikelock/secret/1/" + label), 32 bytes."""
    return _hkdf(seed, nonce, SECRET_INFO + label.encode())


def _hkdf(seed: bytes, salt: bytes, info: bytes, length: int = SECRET_BYTES) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt or None, info=info).derive(seed)


class Identity:
    """A BIP340 key pair. `public` is the x-only key in hex, and names the party."""

    __slots__ = ("_key", "public")

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self.public: str = PublicKeyXOnly.from_secret(key).format().hex()

    def __repr__(self) -> str:
        return f"Identity({self.public})"

    def sign(self, digest: bytes) -> bytes:
        """BIP340 signature of a 32-byte digest, 64 bytes, with fresh auxiliary randomness."""
        return self._key.sign_schnorr(digest, os.urandom(32))


# --- words -----------------------------------------------------------------------------------------------


def new_words() -> str:
    """24 fresh BIP39 words."""
    return Mnemonic("english").generate(STRENGTH)


def from_words(words: str) -> Seed:
    """The seed of BIP39 words. Raises BadWords."""
    return _from_entropy(_entropy(words))


def _entropy(words: str) -> bytes:
    wordlist = Mnemonic("english")
    normal = " ".join(words.lower().split())
    count = len(normal.split())
    if count not in (12, 15, 18, 21, 24):
        raise BadWords(f"there are {count}, and 12, 15, 18, 21 or 24 are needed")
    unknown = [place for place, word in enumerate(normal.split(), 1) if word not in wordlist.wordlist]
    if unknown:
        raise BadWords(f"word {unknown[0]} is not in the list")
    if not wordlist.check(normal):
        raise BadWords("the checksum does not fit: a word is wrong or two are swapped")
    return bytes(wordlist.to_entropy(normal))


def _from_entropy(entropy: bytes) -> Seed:
    return Seed(Mnemonic.to_seed(Mnemonic("english").to_mnemonic(entropy), ""))


# --- the file --------------------------------------------------------------------------------------------


def save(path: Path, words: str, passphrase: str) -> Seed:
    """Write the words' entropy to a new file of mode 0600 under a passphrase, flushed. Never overwrites.

    Raises BadWords, SeedExists, SeedUnavailable.
    """
    entropy = _entropy(words)
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header: dict[str, Any] = {
        "form": FORM,
        "kdf": {"name": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": _encode(salt)},
        "cipher": {"name": "chacha20-poly1305", "nonce": _encode(nonce)},
    }
    box = ChaCha20Poly1305(_stretch(passphrase, salt, SCRYPT_N)).encrypt(nonce, entropy, _bound(header))
    _write_new(path, json.dumps({**header, "box": _encode(box)}, indent=1).encode() + b"\n")
    return _from_entropy(entropy)


def load(path: Path, passphrase: str) -> Seed:
    """The seed in a file. Raises SeedMissing, SeedExposed, SeedDamaged, WrongPassphrase, SeedUnavailable."""
    content = _read_private(path)
    try:
        document = json.loads(content)
        header = {name: document[name] for name in ("form", "kdf", "cipher")}
        form, kdf, cipher = header["form"], header["kdf"], header["cipher"]
        box, salt, nonce = _decode(document["box"]), _decode(kdf["salt"]), _decode(cipher["nonce"])
        n = kdf["n"]
        fits = (form, kdf["name"], kdf["r"], kdf["p"]) == (FORM, "scrypt", SCRYPT_R, SCRYPT_P)
        fits = fits and cipher["name"] == "chacha20-poly1305" and len(nonce) == NONCE_BYTES
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SeedDamaged(str(path), "it is not a seed file, or is cut short") from error
    if not fits or type(n) is not int or not 2 <= n <= SCRYPT_N_MAX or n & (n - 1):
        raise SeedDamaged(str(path), f"it is not of the form {FORM}")
    try:
        entropy = ChaCha20Poly1305(_stretch(passphrase, salt, n)).decrypt(nonce, box, _bound(header))
    except InvalidTag as error:
        raise WrongPassphrase(str(path)) from error
    return _from_entropy(entropy)


def _stretch(passphrase: str, salt: bytes, n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=n, r=SCRYPT_R, p=SCRYPT_P).derive(
        passphrase.encode(errors="surrogateescape")
    )


def _bound(header: Mapping[str, Any]) -> bytes:
    """What the cipher authenticates besides the entropy: nobody may weaken the parameters unseen."""
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there: under another name first, then linked to its own."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fchmod(file, FILE_MODE)  # whatever the umask
            with os.fdopen(file, "wb") as writer:
                writer.write(content)
                writer.flush()
                os.fsync(writer.fileno())
            _link_new(draft, path)
        finally:
            os.unlink(draft)
    except OSError as error:
        raise SeedUnavailable(str(path), error.strerror or str(error)) from error


def _link_new(draft: Path, path: Path) -> None:
    """Give the draft its name unless there is such a file, and have the folder remember it."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise SeedExists(str(path)) from error
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_private(path: Path) -> bytes:
    """A file's content, if nobody but its owner may read or write it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise SeedExposed(str(path), f"{mode:04o}")
            return file.read(MAX_FILE)
    except FileNotFoundError as error:
        raise SeedMissing(str(path)) from error
    except OSError as error:
        raise SeedUnavailable(str(path), error.strerror or str(error)) from error


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decode(value: str) -> bytes:
    return base64.b64decode(value, validate=True)
