"""Deals, intents and strategies that the tests of settlement share."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st

from chains.port import SignedTx
from htlc.ports import Deal
from htlc.protocols.base import ChainGuard, Guards
from htlc.terms import Contribution, LegTerms, Terms

AT = 1_700_000_000


def digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def terms(seed: object = 0) -> Terms:
    """A swap's terms; another `seed` gives other hashes and nonces."""
    return Terms(
        protocol="swap",
        networks={"bitcoin": "bip122:0f9188f13cb7b2c71f2a335e3a4fc328", "evm": "eip155:31337"},
        legs={"x": LegTerms("bitcoin", "native", 10**8), "y": LegTerms("evm", "native", 2**255)},
        times={"x": AT + 9000, "y": AT + 4000},
        options={},
        parties={
            "initiator": Contribution(
                "aa" * 32, digest(seed, "i")[:16], {"s": digest(seed, "s")}, {"x.refund": "02" + "aa" * 32}
            ),
            "participant": Contribution("bb" * 32, digest(seed, "p")[:16], {}, {"x.claim": "02" + "bb" * 32}),
        },
    )


def guards() -> Guards:
    chains = {"bitcoin": ChainGuard(3600, 7200, 6, 10, 20), "evm": ChainGuard(60, 600, 12, 1, 2)}
    return Guards(chains=chains, outage=43_200)


def deal(seed: object = 0) -> Deal:
    agreed = terms(seed)
    since = {"bitcoin": 101, "evm": 0}
    return Deal(agreed.id, agreed, "initiator", guards(), since, AT, "http://127.0.0.1:9")


def tx(number: int, price: int = 2**200) -> SignedTx:
    txid = digest("tx", number).hex()
    return SignedTx("bitcoin", txid, b"\x00\xff" * 100, (f"{txid}:0", "account:7"), price, 2**256 - 1)


words = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
amounts = st.integers(1, 2**256 - 1)
times = st.integers(500_000_000, 2**31 - 1)
contributions = st.builds(
    Contribution,
    identity=st.binary(min_size=32, max_size=32).map(bytes.hex),
    nonce=st.binary(min_size=16, max_size=16),
    hashes=st.dictionaries(words, st.binary(min_size=32, max_size=32).filter(any), max_size=3),
    keys=st.dictionaries(words, texts, max_size=4),
)
all_terms = st.builds(
    Terms,
    protocol=words,
    networks=st.dictionaries(words, texts, max_size=3),
    legs=st.dictionaries(words, st.builds(LegTerms, words, texts, amounts), max_size=3),
    times=st.dictionaries(words, times, max_size=3),
    options=st.dictionaries(words, texts, max_size=3),
    parties=st.dictionaries(words, contributions, max_size=2),
)
counts = st.integers(0, 2**40)
all_guards = st.builds(
    Guards,
    chains=st.dictionaries(words, st.builds(ChainGuard, counts, counts, counts, counts, counts), max_size=3),
    outage=counts,
    joint=st.dictionaries(texts, counts, max_size=2),
)
