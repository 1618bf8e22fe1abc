"""A deal's descriptor: all that a party needs, besides its seed, to get its money out of one deal.

It holds what was agreed (terms, our role, our guards, heights before any funding) and nothing secret. It is signed
by the identity that the terms name for our role, so damage and forgery are found without the seed. What happened
after the agreement is not in it: the chains show what matters, and who starts from a descriptor is limited.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coincurve import PublicKeyXOnly

from chains import outside_json
from chains.errors import StrikelockError
from chains.port import Chain, Wallet
from htlc.ports import Deal
from htlc.protocols import protocol
from htlc.terms import Terms, canonical, parse_terms
from settlement.errors import BadDescriptor, DescriptorUnavailable, NotOurDeal, WrongChain
from settlement.seed import Identity, Seed
from settlement.store import forms

FORM = "strikelock-deal/1"  # a form that was released is read for ever
TAG = hashlib.sha256(b"strikelock/backup/1").digest() * 2  # of a tagged hash (BIP340)
SUFFIX = ".deal.json"
MAX_BYTES = 64 * 1024
FILE_MODE = 0o600
SIGNATURE_HEX = 128
NOT_HERE = "not configured"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What was agreed. `deal` is the deal as it was when it opened; `text` is the signed document."""

    deal: Deal
    text: str


# --- the document ----------------------------------------------------------------------------------------


def describe(deal: Deal, identity: Identity) -> Descriptor:
    """The descriptor of a deal of ours. Raises NotOurDeal unless `identity` is the one in its terms."""
    _check_identity(deal, identity.public)
    body = {
        "form": FORM,
        "deal": deal.id,
        "role": deal.role,
        "terms": deal.terms.to_json(),
        "guards": json.loads(forms.dump_guards(deal.guards)),
        "since": dict(deal.since),
        "agreed_at": deal.agreed_at,
        "peer": deal.peer,
    }
    signature = identity.sign(_digest(body)).hex()
    return Descriptor(_fresh(deal), json.dumps({**body, "sig": signature}, indent=1, sort_keys=True) + "\n")


def read_descriptor(raw: bytes, name: str = "descriptor") -> Descriptor:
    """A descriptor from its document, whole and signed. `name` is for the message. Raises BadDescriptor."""
    if len(raw) > MAX_BYTES:
        raise BadDescriptor(name, f"it is larger than {MAX_BYTES} bytes")
    try:
        body = outside_json.loads(raw)
        signature = bytes.fromhex(body.pop("sig"))
        if body["form"] != FORM:
            raise BadDescriptor(name, f"its form is {body['form']!r}, and {FORM!r} is read here")
        deal = _deal(body)
        public = PublicKeyXOnly(bytes.fromhex(deal.terms.parties[deal.role].identity))
        whole = len(signature) * 2 == SIGNATURE_HEX and public.verify(signature, _digest(body))
    except BadDescriptor:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, StrikelockError) as error:
        raise BadDescriptor(name, f"it can't be read ({error!r})") from error
    if not whole:
        raise BadDescriptor(name, "its signature does not fit: it was damaged or altered")
    return Descriptor(deal, raw.decode())


def _deal(body: Mapping[str, Any]) -> Deal:
    terms = parse_terms(body["terms"])
    protocol(terms.protocol).validate(terms)
    deal = Deal(
        id=body["deal"],
        terms=terms,
        role=body["role"],
        guards=forms.load_guards(json.dumps(body["guards"])),
        since={name: _whole(body["since"][name]) for name in terms.networks},
        agreed_at=_whole(body["agreed_at"]),
        peer=str(body["peer"]),
    )
    if deal.id != terms.id or not terms.networks.keys() <= deal.guards.chains.keys():
        raise ValueError("deal, terms and guards do not belong together")
    return deal


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _fresh(deal: Deal) -> Deal:
    """The deal as it was agreed, without what became of it."""
    return Deal(deal.id, deal.terms, deal.role, deal.guards, deal.since, deal.agreed_at, deal.peer)


def _digest(body: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(TAG + canonical(body)).digest()


# --- whose it is -----------------------------------------------------------------------------------------


def check_ours(deal: Deal, seed: Seed, chains: Mapping[str, Chain], wallets: Mapping[str, Wallet]) -> None:
    """Raise unless our seed and our chains can settle this deal: NotOurDeal where identity, hashes or keys are not
    ours, WrongChain where a chain is missing or another."""
    _check_identity(deal, seed.identity().public)
    check_chains(deal.terms, chains)
    ours, spoken = deal.terms.parties[deal.role], protocol(deal.terms.protocol)
    for label in spoken.secrets(deal.role):
        if hashlib.sha256(seed.secret(deal.nonce, label)).digest() != ours.hashes[label]:
            raise NotOurDeal(deal.id, f"the hash of {label} is not of a secret of this seed")
    for label, leg in spoken.keys(deal.role).items():
        if wallets[deal.terms.legs[leg].chain].key(deal.nonce, label).public != ours.keys[label]:
            raise NotOurDeal(deal.id, f"the key {label} is not of this seed")


def check_chains(terms: Terms, chains: Mapping[str, Chain]) -> None:
    """Raise WrongChain unless every chain of the terms is configured, and the same network."""
    for name, theirs in terms.networks.items():
        ours = chains[name].identity if name in chains else NOT_HERE
        if ours != theirs:
            raise WrongChain(name, ours, theirs)


def _check_identity(deal: Deal, public: str) -> None:
    named = deal.terms.parties[deal.role].identity
    if named != public:
        raise NotOurDeal(deal.id, f"its {deal.role} is {named}, this seed is {public}")


def limited(deal: Deal) -> Deal:
    """The deal for a party that does not know what it did in it."""
    return replace(deal, limited=True)


# --- files -----------------------------------------------------------------------------------------------


def file_name(deal: Deal) -> str:
    """Both parties of a deal may keep their descriptors in one folder."""
    return f"{deal.id}-{deal.role}{SUFFIX}"


def write_file(path: Path, text: str) -> None:
    """Write a file that is whole or not there, flushed, of mode 0600; an older one is replaced. Raises
    DescriptorUnavailable."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            file = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
            with os.fdopen(file, "w") as writer:
                writer.write(text)
                writer.flush()
                os.fsync(writer.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as error:
        raise DescriptorUnavailable(str(path), error.strerror or str(error)) from error


def _flush_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read_files(paths: Iterable[Path]) -> tuple[Descriptor, ...]:
    """Descriptors in files, and in folders all that are named as ours are. Raises BadDescriptor,
    DescriptorUnavailable."""
    files = [file for path in paths for file in (sorted(path.glob("*" + SUFFIX)) if path.is_dir() else [path])]
    return tuple(read_descriptor(read_raw(file, MAX_BYTES), str(file)) for file in files)


def read_raw(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit` of a file. Raises DescriptorUnavailable."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise DescriptorUnavailable(str(path), error.strerror or str(error)) from error
