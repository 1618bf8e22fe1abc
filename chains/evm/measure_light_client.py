"""What Bitcoin's headers and proofs cost on an EVM chain, from the receipts of a local node that mines every
transaction at once. The headers are made here, at regtest's difficulty: the rules that are checked are the
same."""

from __future__ import annotations

import time
from typing import Final

from chains.bitcoin.blocks import HEADER_BYTES
from chains.bitcoin.encoding import double_sha256
from chains.bitcoin.feeding import Batch
from chains.bitcoin.headers import RULES, Anchor
from chains.bitcoin.mining import block, mine, payment
from chains.bitcoin.params import MEDIAN_SPAN
from chains.bitcoin.proofs import Inclusion, output_script, prove
from chains.bitcoin.transaction import TxOut
from chains.evm.client import Client
from chains.evm.deploy import transact
from chains.evm.light_client import (
    deploy_light_client,
    deploy_registry,
    prove_output_calldata,
    register_calldata,
    register_spend_calldata,
    submit_calldata,
)

DEPTH: Final = 6
HEIGHT: Final = 800_000
SPACING: Final = 60  # seconds between two headers; few, for none may lie in the future
AGE: Final = 1_500 * SPACING
BITS: Final = RULES["regtest"].limit_bits
SIZES: Final = (1, 10, 50, 500)  # headers in a batch
SINGLES: Final = 16  # batches of one header that are averaged: every second one stores a slot more
TRANSACTIONS: Final = 3_000  # in the block that holds the transaction, as on mainnet in 2025
PROGRAM: Final = bytes(range(32))
AMOUNT: Final = 1_000_000


async def measure_light_client(url: str, secret: bytes) -> dict[str, int]:
    """Gas by name. `headers_N_gas`: of one header in a batch of N. `secret` is the key of an account with native
    coin.
    Raises as `deploy_contract` does."""
    bench = _Bench(url, secret)
    await bench.open()
    try:
        return await bench.all()
    finally:
        await bench.close()


class _Bench:
    """A light client, and a chain of headers whose end it knows."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._url, self._secret = url, secret
        self._client = Client("evm", url, timeout=30.0, patience=30.0)
        self._time = int(time.time()) - AGE
        self._headers: list[bytes] = []
        self._height = HEIGHT - MEDIAN_SPAN
        for _ in range(MEDIAN_SPAN):
            self._grow()

    async def open(self) -> None:
        await self._client.open()
        anchor = Anchor(self._headers[-1], HEIGHT - 1, 10**6, self._time, BITS)
        made = await deploy_light_client(self._url, self._secret, RULES["regtest"], anchor, permit_insecure=True)
        self._address = made.address

    async def close(self) -> None:
        await self._client.close()

    async def all(self) -> dict[str, int]:
        costs = {}
        for size in SIZES:
            rounds = SINGLES if size == 1 else 2
            total = 0
            for _ in range(rounds):
                for _ in range(size):
                    self._grow()
                total += await self._submit(size)
            costs[f"headers_{size}_gas"] = total // (rounds * size)
        return costs | await self._proofs()

    async def _proofs(self) -> dict[str, int]:
        registry = (await deploy_registry(self._url, self._secret, self._address, DEPTH)).address
        paid = payment(bytes(36), TxOut(AMOUNT, output_script(PROGRAM)))
        proof = await self._mined(paid)
        data = prove_output_calldata(proof, 0, output_script(PROGRAM), AMOUNT, DEPTH)
        request = {"to": self._address, "data": "0x" + data.hex()}
        proved = int(await self._client.call("eth_estimateGas", request, "latest"), 16)
        registered = await self._send(registry, register_calldata(proof, PROGRAM, AMOUNT, 0))
        spent = await self._mined(payment(proof.txid + bytes(4), TxOut(AMOUNT, output_script(bytes(32)))))
        data = register_spend_calldata(spent, proof.txid, 0)
        return {
            "prove_output_gas": proved,
            "register_gas": registered,
            "register_spend_gas": await self._send(registry, data),
        }

    async def _mined(self, transaction: bytes) -> Inclusion:
        """The proof of a transaction in a full block, DEPTH deep, each of its headers brought alone."""
        others = [payment(at.to_bytes(36, "little"), TxOut(at, b"\x51")) for at in range(1, TRANSACTIONS - 1)]
        self._time += SPACING
        raw = block(double_sha256(self._headers[-1]), self._time, BITS, [transaction, *others])
        self._append(raw[:HEADER_BYTES])
        await self._submit(1)
        for _ in range(DEPTH - 1):
            self._grow()
            await self._submit(1)
        return prove(raw, double_sha256(transaction)[::-1].hex())

    def _grow(self) -> None:
        self._time += SPACING
        previous = double_sha256(self._headers[-1]) if self._headers else bytes(32)
        self._append(mine(previous, bytes(32), self._time, BITS))

    def _append(self, header: bytes) -> None:
        self._headers.append(header)
        self._height += 1

    async def _submit(self, fresh: int) -> int:
        headers = self._headers[-fresh - MEDIAN_SPAN :]
        end = double_sha256(headers[-1])
        return await self._send(
            self._address, submit_calldata(Batch(MEDIAN_SPAN, b"".join(headers), end, self._height))
        )

    async def _send(self, to: str, data: bytes) -> int:
        receipt = await transact(self._url, self._secret, to, data)
        return int(receipt["gasUsed"], 16)
