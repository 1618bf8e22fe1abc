"""What differs between the networks of the UTXO family. Everything else in this package is the same for all.

Genesis hashes, prefixes and limits: Bitcoin Core and Litecoin Core, `src/chainparams.cpp` and
`src/consensus/amount.h`. Coin types: SLIP-44. Identity: CAIP-2, namespace bip122.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.port import BlockProcess, Timing

COIN = 100_000_000  # satoshi (or litoshi) in one coin
GENESIS_PREFIX = 32  # hex digits of the genesis hash in a CAIP-2 reference

# Nodes count an output with the input that would spend it, 31 + 67 and 43 + 67 vbytes, at their dust fee rate
# (GetDustThreshold in policy.cpp).
P2WPKH_LIFE = 98
P2WSH_LIFE = 110

# Confirmations before a coin may be spent (consensus.h): block rewards, and on Litecoin what leaves the extension
# block.
COINBASE_MATURITY = 100
PEGOUT_MATURITY = 6
MEDIAN_SPAN = 11  # BIP113
MAX_FUTURE = 7200  # a block's timestamp may be two hours ahead of the network's time


@dataclass(frozen=True, slots=True)
class Prices:
    """Satoshi per 1000 vbytes to bid while the node has no estimate."""

    economical: int
    urgent: int


@dataclass(frozen=True, slots=True)
class Network:
    """One network. hrp: of its Bech32 addresses. genesis: hash of block 0. supply: no amount is above it.

    dust_price: satoshi per 1000 vbytes at which an output that costs more than it holds is not relayed.
    replaces: whether nodes accept replacements (BIP125) unless told otherwise; Litecoin's do not.
    private: blocks are made at will (regtest), so an old tip or a node that says it still syncs means nothing.
    """

    coin: str
    name: str
    hrp: str
    genesis: str
    coin_type: int
    supply: int
    timing: Timing
    fallback: Prices
    dust_price: int = 3_000
    replaces: bool = True
    private: bool = False

    @property
    def dust_p2wpkh(self) -> int:
        """The least a P2WPKH output may hold."""
        return P2WPKH_LIFE * self.dust_price // 1000

    @property
    def dust_p2wsh(self) -> int:
        """The least a P2WSH output may hold."""
        return P2WSH_LIFE * self.dust_price // 1000

    @property
    def identity(self) -> str:
        """CAIP-2 identifier."""
        return f"bip122:{self.genesis[:GENESIS_PREFIX]}"


def _timing(
    interval: float, inclusion: int, depth: int, stale_after: int, clock_error: int = MAX_FUTURE
) -> Timing:
    return Timing(
        process=BlockProcess.POISSON,
        interval=interval,
        inclusion=inclusion,
        depth=depth,
        median_span=MEDIAN_SPAN,
        clock_error=clock_error,
        stale_after=stale_after,
    )


# stale_after is 18 mean intervals: an honest gap that long comes once in 65 million blocks (e**-18).
# Litecoin waits for more blocks, since each carries a quarter of the time.
_BITCOIN = _timing(interval=600, inclusion=3, depth=6, stale_after=10_800)
_LITECOIN = _timing(interval=150, inclusion=4, depth=12, stale_after=2_700)
# Test networks stall for hours, and nothing of value is lost by waiting.
_BITCOIN_TEST = _timing(interval=600, inclusion=3, depth=6, stale_after=86_400)
_LITECOIN_TEST = _timing(interval=150, inclusion=4, depth=12, stale_after=86_400)
# Blocks come when a test asks for them. Short, so that a ladder fits into minutes.
_REGTEST = _timing(interval=2, inclusion=2, depth=3, stale_after=10 * 365 * 86_400, clock_error=60)

_BITCOIN_PRICES = Prices(economical=10_000, urgent=30_000)
_LITECOIN_PRICES = Prices(economical=2_000, urgent=10_000)
_REGTEST_PRICES = Prices(economical=2_000, urgent=4_000)

_BITCOIN_SUPPLY = 21_000_000 * COIN
_LITECOIN_SUPPLY = 84_000_000 * COIN

NETWORKS: dict[tuple[str, str], Network] = {
    (network.coin, network.name): network
    for network in (
        Network(
            "bitcoin",
            "mainnet",
            "bc",
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            0,
            _BITCOIN_SUPPLY,
            _BITCOIN,
            _BITCOIN_PRICES,
        ),
        Network(
            "bitcoin",
            "testnet",
            "tb",
            "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
            1,
            _BITCOIN_SUPPLY,
            _BITCOIN_TEST,
            _BITCOIN_PRICES,
        ),
        Network(
            "bitcoin",
            "testnet4",
            "tb",
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            1,
            _BITCOIN_SUPPLY,
            _BITCOIN_TEST,
            _BITCOIN_PRICES,
        ),
        Network(
            "bitcoin",
            "signet",
            "tb",
            "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
            1,
            _BITCOIN_SUPPLY,
            _BITCOIN_TEST,
            _BITCOIN_PRICES,
        ),
        Network(
            "bitcoin",
            "regtest",
            "bcrt",
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            1,
            _BITCOIN_SUPPLY,
            _REGTEST,
            _REGTEST_PRICES,
            private=True,
        ),
        Network(
            "litecoin",
            "mainnet",
            "ltc",
            "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
            2,
            _LITECOIN_SUPPLY,
            _LITECOIN,
            _LITECOIN_PRICES,
            dust_price=30_000,
            replaces=False,
        ),
        Network(
            "litecoin",
            "testnet",
            "tltc",
            "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
            1,
            _LITECOIN_SUPPLY,
            _LITECOIN_TEST,
            _LITECOIN_PRICES,
            dust_price=30_000,
            replaces=False,
        ),
        Network(
            "litecoin",
            "regtest",
            "rltc",
            "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
            1,
            _LITECOIN_SUPPLY,
            _REGTEST,
            _REGTEST_PRICES,
            dust_price=30_000,
            replaces=False,
            private=True,
        ),
    )
}
