"""The chain itself: blocks and a pool in one SQLite file, and the state that follows from them.

It has what a real chain of accounts has, as plainly as that goes: signed transactions in the order of their
nonces, fees, replacement of what is not mined, transactions that fail and cost all the same, reorganisations.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coincurve import PrivateKey, PublicKeyXOnly

from chains.errors import BadKey, Rejected
from chains.legs import Leg

SCHEMA = """
create table if not exists blocks (height integer primary key, hash text not null, stamp integer not null);
create table if not exists txs (
    number integer primary key, txid text not null unique, raw blob not null, account text not null,
    nonce integer not null, price integer not null, height integer
);
"""
COINBASE = "slate"  # mints, without a signature: this money is no money
DECIMALS = 6
BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block. stamp: UNIX seconds, which is the chain's clock."""

    height: int
    hash: str
    stamp: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that came to an address (`path` None) or left it by a path."""

    height: int
    txid: str
    amount: int
    path: str | None = None
    preimages: tuple[bytes, ...] = ()


@dataclass(slots=True)
class State:
    """What follows from the blocks. mined: height and success by transaction. used: (height, transaction) by
    "account:nonce"."""

    balances: dict[str, int] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    moves: dict[str, list[Moved]] = field(default_factory=dict)
    mined: dict[str, tuple[int, bool]] = field(default_factory=dict)
    used: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, address: str, amount: int) -> None:
        self.balances[address] = self.balances.get(address, 0) + amount


def leg_address(leg: Leg) -> str:
    """Where a leg is paid to: the hash of everything that says who may spend it."""
    return "slate-" + hashlib.sha256(canonical(leg_form(leg))).hexdigest()[:40]


def leg_form(leg: Leg) -> dict[str, Any]:
    paths = [
        {
            "name": path.name,
            "to": path.to,
            "hashes": [value.hex() for value in path.hashes],
            "signers": list(path.signers),
            "after": path.after,
        }
        for path in leg.paths
    ]
    return {"chain": leg.chain, "amount": leg.amount, "salt": leg.salt.hex(), "paths": paths}


def check_account(name: str) -> None:
    """Raise BadKey unless somebody can sign for it: money that is sent elsewhere is gone."""
    try:
        PublicKeyXOnly(bytes.fromhex(name))
    except ValueError as error:
        raise BadKey(name, "it is no account: an x-only public key, 32 bytes in hex") from error


def canonical(form: Any) -> bytes:
    return json.dumps(form, sort_keys=True, separators=(",", ":")).encode()


def consent_digest(address: str, path: str) -> bytes:
    """What a signer of a path signs: good for whatever stands at the leg."""
    return hashlib.sha256(f"consent {address} {path}".encode()).digest()


def sign(body: dict[str, Any], secret: bytes) -> bytes:
    """A transaction as it is sent."""
    digest = hashlib.sha256(canonical(body)).digest()
    return canonical({**body, "signature": PrivateKey(secret).sign_schnorr(digest).hex()})


def txid_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


class Ledger:
    """The file. Whoever has it is a full node, and a miner."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection, connection:
            connection.executescript(SCHEMA)
            yield connection

    # --- reading

    def tip(self) -> Block:
        """The best block. Before the first one there is a block 0 of no time."""
        with self._open() as file:
            row = file.execute("select height, hash, stamp from blocks order by height desc limit 1").fetchone()
        return Block(*row) if row else Block(0, "0" * 64, 0)

    def pool(self) -> set[str]:
        """Transactions that wait for a block."""
        with self._open() as file:
            return {row[0] for row in file.execute("select txid from txs where height is null")}

    def state(self) -> State:
        """Everything, from the first block on: a toy can afford it."""
        state = State()
        with self._open() as file:
            stamps = dict(file.execute("select height, stamp from blocks"))
            rows = file.execute("select raw, height from txs where height is not null order by height, number")
            for raw, height in rows.fetchall():
                _apply(state, raw, height, stamps[height])
        return state

    # --- changing

    def send(self, chain: str, raw: bytes) -> None:
        """Into the pool. Raises Rejected. What is there, or in a block, is taken again without a word."""
        txid, body = txid_of(raw), json.loads(raw)
        if not _signed(body):
            raise Rejected(chain, txid, "the signature is wrong")
        used = self.state().nonces.get(body["account"], 0)
        with self._open() as file:
            if file.execute("select 1 from txs where txid = ?", (txid,)).fetchone():
                return
            if body["nonce"] < used:
                raise Rejected(chain, txid, "the nonce is used up")
            rival = file.execute(
                "select txid, price from txs where account = ? and nonce = ? and height is null",
                (body["account"], body["nonce"]),
            ).fetchone()
            if rival and body["price"] <= rival[1]:
                raise Rejected(chain, txid, "it does not pay more than what it replaces")
            if rival:
                file.execute("delete from txs where txid = ?", (rival[0],))
            values = (txid, raw, body["account"], body["nonce"], body["price"])
            file.execute("insert into txs (txid, raw, account, nonce, price) values (?, ?, ?, ?, ?)", values)

    def mint(self, address: str, amount: int, stamp: int) -> None:
        """Money from nowhere, in a block of its own."""
        with self._open() as file:
            (number,) = file.execute("select count(*) from txs").fetchone()
        raw = canonical({"account": COINBASE, "nonce": number, "price": 0, "to": address, "amount": amount})
        height = self.mine(stamp, fill=False).height
        with self._open() as file:
            values = (txid_of(raw), raw, COINBASE, number, 0, height)
            file.execute("insert into txs (txid, raw, account, nonce, price, height) values (?,?,?,?,?,?)", values)

    def mine(self, stamp: int, fill: bool = True) -> Block:
        """A block with all of the pool whose turn it is, or with nothing."""
        tip, nonces = self.tip(), self.state().nonces
        stamp = max(stamp, tip.stamp + 1)
        height = tip.height + 1
        with self._open() as file:
            waiting = file.execute(
                "select txid, account, nonce from txs where height is null order by account, nonce"
            )
            for txid, account, nonce in waiting.fetchall() if fill else ():
                if nonce == nonces.get(account, 0):
                    nonces[account] = nonce + 1
                    file.execute("update txs set height = ? where txid = ?", (height, txid))
            made = hashlib.sha256(f"{tip.hash} {height} {stamp} {fill}".encode()).hexdigest()
            file.execute("insert into blocks values (?, ?, ?)", (height, made, stamp))
        return Block(height, made, stamp)

    def reorganise(self, depth: int, stamp: int) -> None:
        """Replace the last blocks by empty ones; what they held is in the pool again."""
        fork = self.tip().height - depth
        with self._open() as file:
            file.execute("update txs set height = null where height > ?", (fork,))
            file.execute("delete from blocks where height > ?", (fork,))
        for _ in range(depth + 1):
            self.mine(stamp, fill=False)


# --- rules -----------------------------------------------------------------------------------------------


def _signed(body: dict[str, Any]) -> bool:
    content = {name: value for name, value in body.items() if name != "signature"}
    return verified(body["account"], body["signature"], hashlib.sha256(canonical(content)).digest())


def verified(account: str, signature: str, digest: bytes) -> bool:
    """Whether an account signed a digest."""
    try:
        return bool(PublicKeyXOnly(bytes.fromhex(account)).verify(bytes.fromhex(signature), digest))
    except ValueError:
        return False


def _apply(state: State, raw: bytes, height: int, stamp: int) -> None:
    """One mined transaction: it costs its fee and uses its nonce, whether it succeeds or not."""
    body, txid = json.loads(raw), txid_of(raw)
    account = body["account"]
    if account != COINBASE:
        state.nonces[account] = body["nonce"] + 1
        state.used[f"{account}:{body['nonce']}"] = (height, txid)
        state.add(account, -body["price"])
    apply = _spend if "leg" in body else _pay
    state.mined[txid] = (height, apply(state, body, txid, height, stamp))


def _pay(state: State, body: dict[str, Any], txid: str, height: int, _stamp: int) -> bool:
    account, to, amount = body["account"], body["to"], body["amount"]
    if account != COINBASE:
        if state.balances.get(account, 0) < amount:
            return False
        state.add(account, -amount)
    state.add(to, amount)
    state.moves.setdefault(to, []).append(Moved(height, txid, amount))
    return True


def _spend(state: State, body: dict[str, Any], txid: str, height: int, stamp: int) -> bool:
    """Everything at a leg goes where its path says."""
    address = "slate-" + hashlib.sha256(canonical(body["leg"])).hexdigest()[:40]
    path = next((one for one in body["leg"]["paths"] if one["name"] == body["path"]), None)
    held = state.balances.get(address, 0)
    if path is None or not held or refusal(address, path, body["preimages"], body["consents"], stamp):
        return False
    state.add(address, -held)
    state.add(path["to"], held)
    shown = tuple(bytes.fromhex(preimage) for preimage in body["preimages"])
    state.moves[address].append(Moved(height, txid, held, path["name"], shown))
    return True


def refusal(
    address: str, path: dict[str, Any], preimages: list[str], consents: list[str], stamp: int
) -> str | None:
    """Why a path does not open in a block of that time, or None."""
    if path["after"] is not None and stamp <= path["after"]:
        return f"it opens when the chain's clock is past {path['after']}, it is {stamp}"
    opened = [hashlib.sha256(bytes.fromhex(preimage)).hexdigest() for preimage in preimages]
    if opened != path["hashes"] or any(len(preimage) != 64 for preimage in preimages):
        return "the preimages don't open it"
    digest = consent_digest(address, path["name"])
    signed = len(consents) == len(path["signers"]) and all(
        verified(signer, consent, digest) for signer, consent in zip(path["signers"], consents, strict=True)
    )
    return None if signed else "a consent is missing, or wrong"
