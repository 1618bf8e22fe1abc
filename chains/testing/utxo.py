"""What the UTXO nodes differ in, and the settings a regtest node of either kind runs with."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class UtxoParams:
    """A UTXO chain's regtest.

    blocks: height of the cached chain. prefix: of its bech32 addresses. settings: lines of the node's
        configuration file. wallet: options of `createwallet` for the miner.
    """

    name: str
    program: str
    prefix: str
    blocks: int
    settings: tuple[str, ...] = ()


# Coinbases mature after 100 blocks and the subsidy halves every 150: 200 blocks give about 5,000 BTC to spend.
BITCOIN = UtxoParams("bitcoin", "bitcoind", "bcrt", blocks=200)

# CLTV binds on litecoind's regtest from height 1351 only. MWEB must never start: past height 431 blocks
# without its data would be refused. The two numbers are "never" in litecoind's terms (2**63 - 2, 2**63 - 1).
# Litecoin nodes refuse every replacement (BIP125) unless told otherwise.
LITECOIN = UtxoParams(
    "litecoin",
    "litecoind",
    "rltc",
    blocks=1400,
    settings=("vbparams=mweb:9223372036854775806:9223372036854775807", "mempoolreplacement=1"),
)

PARAMS = MappingProxyType({params.name: params for params in (BITCOIN, LITECOIN)})

# Alone on loopback, light on memory and threads. Old tips are no reason to call itself unsynced (maxtipage):
# a cached chain is old, and a restarted node may be months ahead of its last block.
COMMON = (
    "server=1",
    "listen=0",
    "dnsseed=0",
    "discover=0",
    "upnp=0",
    "natpmp=0",
    "printtoconsole=1",
    "debuglogfile=0",
    "dbcache=16",
    "par=1",
    "keypool=20",
    "fallbackfee=0.00002",
    "maxtipage=4000000000",
    "rpcworkqueue=256",
    "rpcthreads=8",
)


def configuration(params: UtxoParams, *, port: int, user: str, password: str, extra: tuple[str, ...]) -> str:
    """The text of the node's configuration file."""
    access = ("rpcbind=127.0.0.1", "rpcallowip=127.0.0.1", f"rpcport={port}")
    login = (f"rpcuser={user}", f"rpcpassword={password}")
    lines = ("regtest=1", "[regtest]", *COMMON, *access, *login, *params.settings, *extra)
    return "\n".join(lines) + "\n"
