"""Every table. Amounts are `Uint256`, times UNIX seconds, documents the versioned JSON of `forms`.

Rows are only ever added or marked: nothing that was stored is deleted, because every hash and nonce must be
known for ever.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.store.types import Serial, Uint256

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

WORD = 64  # the longest name of a role, leg, path, chain or step


def _deal() -> Column[str]:
    return Column("deal", String(32), ForeignKey("deals.id"), nullable=False)


meta = Table(
    "meta",
    metadata,
    Column("name", String(WORD), primary_key=True),
    Column("value", Text, nullable=False),
)

# How many changes the database has had: one row. A copy with fewer than we know of is an old one.
changes = Table("changes", metadata, Column("count", BigInteger, nullable=False))

# `revision` grows with every change to the deal or to what hangs on it: a reader with a copy of that revision
# need not read further.
deals = Table(
    "deals",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("protocol", String(WORD), nullable=False),
    Column("role", String(WORD), nullable=False),
    Column("terms", Text, nullable=False),
    Column("guards", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("agreed_at", BigInteger, nullable=False),
    Column("peer", Text, nullable=False),
    Column("will", Text, nullable=False),
    Column("limited", Boolean, nullable=False),
    Column("outcome", String(WORD)),
    Column("closed_at", BigInteger),
    Column("revision", BigInteger, nullable=False),
)
_OPEN = text("outcome IS NULL")
Index(  # with all that a look asks of them: a row is pages long
    "ix_deals_open", deals.c.number, deals.c.id, deals.c.revision, sqlite_where=_OPEN, postgresql_where=_OPEN
)

vows = Table(
    "vows",
    metadata,
    _deal(),
    Column("vow", String(WORD), nullable=False),
    UniqueConstraint("deal", "vow"),
)

consents = Table(
    "consents",
    metadata,
    _deal(),
    Column("given", Boolean, nullable=False),
    Column("leg", String(WORD), nullable=False),
    Column("path", String(WORD), nullable=False),
    Column("consent", Text, nullable=False),
    UniqueConstraint("deal", "given", "leg", "path"),
)

preimages = Table(
    "preimages",
    metadata,
    _deal(),
    Column("hash", LargeBinary(32), nullable=False, index=True),
    Column("preimage", LargeBinary(32), nullable=False),
    UniqueConstraint("deal", "hash"),
)

intents = Table(
    "intents",
    metadata,
    Column("number", Serial, primary_key=True),
    _deal(),
    Column("leg", String(WORD), nullable=False),
    Column("step", String(WORD), nullable=False),
    Column("chain", String(WORD), nullable=False),
    Column("txid", String(80), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("claims", Text, nullable=False),
    Column("price", Uint256, nullable=False),
    Column("fee", Uint256, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("final", Text),
    UniqueConstraint("deal", "leg", "step", "txid"),
)
_UNSETTLED = text("final IS NULL")
Index("ix_intents_unsettled", intents.c.number, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)

# Hashes and nonces that were ever in an agreement, ours and others'; `origin` is the proposal or deal.
used = Table(
    "used",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", LargeBinary(32), primary_key=True),
    Column("origin", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# `message` is the signed proposal. `stage` holds what its state needs; `state` and `deal` repeat of it what is
# searched for. `pending`: the other side has not confirmed our last message.
proposals = Table(
    "proposals",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("sent", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", Text, nullable=False),
    Column("protocol", String(WORD), nullable=False),
    Column("role", String(WORD), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("deal", String(32), index=True),
    Index(None, "state", "peer"),
)
_PENDING = text("pending")
Index("ix_proposals_pending", proposals.c.number, sqlite_where=_PENDING, postgresql_where=_PENDING)

peers = Table(
    "peers",
    metadata,
    Column("identity", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)

# --- who works on what, where several processes share the database -----------------------------------------

# Processes that drive. `until`: what they hold is free from then on; milliseconds of the database's clock.
daemons = Table(
    "daemons",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("label", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

# What one process at a time works on, such as an open deal. `epoch` grows with every change of the holder, and
# every write checks it.
leases = Table(
    "leases",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(WORD), primary_key=True),
    Column("holder", String(32), index=True),
    Column("epoch", BigInteger, nullable=False),
)

# Accounts that sign. `version` grows with every transaction that is stored, so that none is which was made without
# knowing all others. `holder` has its turn until `until`.
lineages = Table(
    "lineages",
    metadata,
    Column("account", String(2 * WORD), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("holder", String(32)),
    Column("until", BigInteger, nullable=False),
)

# --- offers ------------------------------------------------------------------------------------------------

# Signed offers of ours. What is left of one is not stored: it is its size less what takings hold. `spot` is the
# price that its maker gave, whole coins of money for one of the underlying, and `spot_at` when.
offers = Table(
    "offers",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger),
    Column("spot", String(WORD)),
    Column("spot_at", BigInteger),
)

# What others took of our offers, and (`sent`) we of theirs; `id` is that of the quote. `offer_text` and `quote`
# are the signed documents. `asset` and `locked` say what we lock by it. `until`: the last moment of an answer;
# `due`: of the premium. How a taking stands is read off its proposal and deal.
takings = Table(
    "takings",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("sent", Boolean, nullable=False),
    Column("offer", String(64), nullable=False, index=True),
    Column("offer_text", Text, nullable=False),
    Column("quote", Text, nullable=False),
    Column("peer", String(64), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("size", Uint256, nullable=False),
    Column("premium", Uint256, nullable=False),
    Column("asset", String(4 * WORD + WORD), nullable=False),
    Column("locked", Uint256, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("proposal", String(64), index=True),
)

# --- messages between chains: what a relayer and a validator keep ------------------------------------------

LANE = 32  # bytes of a lane's id, of a message's id, of a root

# `paused` is the operator's wish. `halted` says why nothing goes on there until an operator has looked.
lanes = Table(
    "lanes",
    metadata,
    Column("id", LargeBinary(LANE), primary_key=True),
    Column("name", String(WORD), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("halted", Text),
)

# Messages in final blocks of their source; `height` is the block's.
messages = Table(
    "messages",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("id", LargeBinary(LANE), nullable=False, index=True),
    Column("height", BigInteger, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("recipient", String(42), nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

# Nodes above whole chunks of a lane's messages: from them its tree is built again.
chunks = Table(
    "chunks",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("root", LargeBinary(LANE), nullable=False),
)

# Sets of numbers, each as spans: blocks that were searched, messages that were delivered for good.
progress = Table(
    "progress",
    metadata,
    Column("name", String(2 * WORD + 16), primary_key=True),
    Column("spans", Text, nullable=False),
)

# Checkpoints that a quorum signed, as call data takes them.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("count", BigInteger, primary_key=True),
    Column("set", BigInteger, nullable=False),
    Column("root", LargeBinary(LANE), nullable=False),
    Column("signatures", LargeBinary, nullable=False),
)

# Transactions that deliver messages: `first` to `end` of a lane. `since` is a height before it was signed.
pushes = Table(
    "pushes",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("lane", LargeBinary(LANE), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("chain", String(WORD), nullable=False),
    Column("txid", String(80), nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("claims", Text, nullable=False),
    Column("price", Uint256, nullable=False),
    Column("fee", Uint256, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("final", Text),
)
_FLYING = text("final IS NULL")
Index("ix_pushes_flying", pushes.c.number, sqlite_where=_FLYING, postgresql_where=_FLYING)

# What the governor let out, and what it holds back until a time.
outflows = Table(
    "outflows",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("asset", String(WORD), nullable=False),
    Column("amount", Uint256, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
)
delays = Table(
    "delays",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

# What a validator signed. One root for each count of a lane, for ever; each set of signers signs it anew.
votes = Table(
    "votes",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("count", BigInteger, primary_key=True),
    Column("set", BigInteger, primary_key=True),
    Column("root", LargeBinary(LANE), nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("block", String(66), nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

# Signatures of a signer that contradict each other, or the chain.
evidence = Table(
    "evidence",
    metadata,
    Column("lane", LargeBinary(LANE), primary_key=True),
    Column("signer", String(42), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# What a relayer was asked to prove of Bitcoin: that an output stands, or that `spender` spends it.
proofs = Table(
    "proofs",
    metadata,
    Column("feed", String(WORD), primary_key=True),
    Column("txid", String(WORD), primary_key=True),
    Column("output", BigInteger, primary_key=True),
    Column("spender", String(WORD), primary_key=True),
    Column("block", String(WORD), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done", BigInteger),
)

# --- the API ---------------------------------------------------------------------------------------------

# Who may use the API. `digest` is SHA-256 of the secret, which is stored nowhere.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(WORD), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

# What was asked for under an idempotency key, and the answer. `digest` is of the request. `made` is the id of
# what was made for it, stored with that. No `status`: `holder` is working on it, or was when it ended.
requests = Table(
    "requests",
    metadata,
    Column("caller", String(WORD), primary_key=True),
    Column("key", String(WORD), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("holder", String(32), nullable=False),
    Column("made", String(64)),
    Column("status", BigInteger),
    Column("answer", Text),
)
