"""How long derive and plan take for one deal. Prints one JSON document; the figure to reach is 200 microseconds.

python benchmarks/deal_logic.py [--seed N] [--runs N]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import random
import sys
import time
from pathlib import Path

from chains.port import LegFacts, Spend
from htlc.protocols import PROTOCOLS
from htlc.protocols.base import ChainGuard, DealProtocol, Facts, Flight, Guards, Now, Stance, Will
from htlc.terms import Contribution, LegTerms, Terms
from htlc.timelocks import ladder

NOW = 1_800_000_000
CHAINS = {
    "swap": {"x": "bitcoin", "y": "evm"},
    "option": {"collateral": "bitcoin", "premium": "evm", "strike": "evm"},
}
GUARD = ChainGuard(include=3600, reorg=3600, depth=6, lead=600, lag=7200)
GUARDS = Guards({"bitcoin": GUARD, "evm": GUARD}, outage=3600)
BATCH = 50


def make_terms(protocol: DealProtocol, dice: random.Random) -> tuple[Terms, dict[bytes, bytes]]:
    """Terms of a deal, and its preimages by hash."""
    secrets = {role: {label: dice.randbytes(32) for label in protocol.secrets(role)} for role in protocol.roles}
    parties = {
        role: Contribution(
            identity=dice.randbytes(32).hex(),
            nonce=dice.randbytes(16),
            hashes={label: hashlib.sha256(value).digest() for label, value in secrets[role].items()},
            keys={label: dice.randbytes(33).hex() for label in protocol.keys(role)},
        )
        for role in protocol.roles
    }
    terms = Terms(
        protocol=protocol.name,
        networks={"bitcoin": "bip122:regtest", "evm": "eip155:31337"},
        legs={leg: LegTerms(chain, "native", 10**8) for leg, chain in CHAINS[protocol.name].items()},
        times=ladder(protocol, CHAINS[protocol.name], GUARDS, NOW, life=86_400),
        options={"kind": "call", "releases": "yes"} if protocol.name == "option" else {},
        parties=parties,
    )
    return terms, {hashlib.sha256(v).digest(): v for role in secrets for v in secrets[role].values()}


def make_facts(protocol: DealProtocol, terms: Terms, by_hash: dict[bytes, bytes], dice: random.Random) -> Facts:
    """Any facts: the cost must not depend on how far a deal is."""
    legs = {}
    for name, leg in protocol.legs(terms).items():
        spends = []
        if dice.random() < 0.5:
            path = dice.choice(leg.paths)
            shown = tuple(by_hash[value] for value in path.hashes)
            spends.append(Spend(dice.randbytes(32).hex(), path.name, leg.amount, shown, dice.randrange(9)))
        held = 0 if spends else dice.choice([0, leg.amount])
        legs[name] = LegFacts(dice.randrange(1, 9) if held or spends else None, held, tuple(spends))
    known = {value: preimage for value, preimage in by_hash.items() if dice.random() < 0.3}
    return Facts(legs, known, {name: dice.choice(list(Flight)) for name in legs})


def measure(protocol: DealProtocol, runs: int, dice: random.Random) -> list[float]:
    """Microseconds of derive and plan, each the best of three batches on other facts and at another time."""
    terms, by_hash = make_terms(protocol, dice)
    last = max(terms.times.values())
    found = []
    for _ in range(runs):
        facts = make_facts(protocol, terms, by_hash, dice)
        role = dice.choice(protocol.roles)
        mine = {value: by_hash[value] for value in terms.parties[role].hashes.values()}
        stance = Stance(role, mine, Will(exercise=dice.random() < 0.5, let_go=dice.random() < 0.2))
        time_now = dice.randrange(NOW, last + 7200)
        now = Now(time_now, time_now + 5, dict.fromkeys(("bitcoin", "evm"), time_now - 60))
        found.append(min(batch(protocol, terms, facts, stance, now) for _ in range(3)))
    return sorted(found)


def batch(protocol: DealProtocol, terms: Terms, facts: Facts, stance: Stance, now: Now) -> float:
    """Mean microseconds of derive and plan on the same input."""
    begun = time.perf_counter()
    for _ in range(BATCH):
        protocol.plan(terms, protocol.derive(terms, facts), stance, now, GUARDS)
    return (time.perf_counter() - begun) / BATCH * 1e6


def processor() -> str:
    """The processor's name, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=400)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    results = {}
    for name, protocol in PROTOCOLS.items():
        found = measure(protocol, options.runs, dice)
        results[name] = {
            "median_us": round(found[len(found) // 2], 1),
            "p99_us": round(found[int(len(found) * 0.99)], 1),
        }
    print(
        json.dumps(
            {
                "command": " ".join(["python", *sys.argv]),
                "seed": options.seed,
                "machine": {
                    "processor": processor(),
                    "python": platform.python_version(),
                    "system": platform.platform(),
                },
                "derive_and_plan": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
