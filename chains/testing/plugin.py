"""pytest plugin `strikelock`: real nodes as fixtures.

`bitcoind`, `litecoind`, `anvil` and `postgres` are one node each for the whole session, started when a test
first asks; `..._factory` makes further ones, which end with the test. A node that can't be had fails the test,
or skips it if STRIKELOCK_SKIP_MISSING_NODES is set to 1. Data folders stay when a test failed.

Importing this module must stay cheap: it is loaded in every pytest run of every project that has us installed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from chains.testing.anvil import Anvil
    from chains.testing.bitcoind import Bitcoind
    from chains.testing.parties import FundedParty
    from chains.testing.postgres import Postgres
    from chains.testing.processes import NodeProcess

SKIP_VARIABLE = "STRIKELOCK_SKIP_MISSING_NODES"

BitcoindFactory = Callable[..., Awaitable["Bitcoind"]]
AnvilFactory = Callable[..., Awaitable["Anvil"]]
PartyFactory = Callable[..., Awaitable["FundedParty"]]

_kept: list[NodeProcess] = []


@contextmanager
def available() -> Iterator[None]:
    """Turns a missing node into a failure of the test, or a skip if the user wants that."""
    from chains.testing.errors import NodeMissing

    try:
        yield
    except NodeMissing as missing:
        if os.environ.get(SKIP_VARIABLE) == "1":
            pytest.skip(str(missing))
        pytest.fail(str(missing), pytrace=False)


async def _run(node: NodeProcess, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """The node, running; its folder is kept if any test failed while it ran."""
    failed_before = request.session.testsfailed
    async with node:
        yield node
        if request.session.testsfailed > failed_before and not node.keep:
            node.keep = True
            _kept.append(node)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bitcoind(request: pytest.FixtureRequest) -> AsyncIterator[Bitcoind]:
    """A bitcoind on regtest, shared by the session: don't move its clock, use `bitcoind_factory` for that."""
    from chains.testing.bitcoind import Bitcoind

    with available():
        node = Bitcoind("bitcoin")
    async for running in _run(node, request):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def litecoind(request: pytest.FixtureRequest) -> AsyncIterator[Bitcoind]:
    """A litecoind on regtest, shared by the session."""
    from chains.testing.bitcoind import Bitcoind

    with available():
        node = Bitcoind("litecoin")
    async for running in _run(node, request):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def anvil(request: pytest.FixtureRequest) -> AsyncIterator[Anvil]:
    """An anvil that mines each transaction at once, shared by the session."""
    from chains.testing.anvil import Anvil

    with available():
        node = Anvil()
    async for running in _run(node, request):
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Postgres]:
    """A PostgreSQL server, shared by the session: make a database of your own in it."""
    from chains.testing.postgres import Postgres

    with available():
        node = Postgres()
    async for running in _run(node, request):
        yield running


async def _factory(kind: Callable[..., NodeProcess], request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A function that starts nodes of a kind; they all end with the test."""
    failed_before = request.session.testsfailed
    made: list[NodeProcess] = []
    async with AsyncExitStack() as stack:

        async def make(*args: Any, **options: Any) -> NodeProcess:
            with available():
                node = kind(*args, **options)
            made.append(await stack.enter_async_context(node))
            return node

        yield make
        if request.session.testsfailed > failed_before:
            for node in made:
                node.keep = True
            _kept.extend(made)


@pytest_asyncio.fixture(loop_scope="session")
async def bitcoind_factory(request: pytest.FixtureRequest) -> AsyncIterator[BitcoindFactory]:
    """`await bitcoind_factory("litecoin", extra=[...])` starts a node for this test alone."""
    from chains.testing.bitcoind import Bitcoind

    async for make in _factory(Bitcoind, request):
        yield make


@pytest_asyncio.fixture(loop_scope="session")
async def anvil_factory(request: pytest.FixtureRequest) -> AsyncIterator[AnvilFactory]:
    """`await anvil_factory(mining="manual")` starts an anvil for this test alone."""
    from chains.testing.anvil import Anvil

    async for make in _factory(Anvil, request):
        yield make


@pytest_asyncio.fixture(loop_scope="session")
async def party_factory() -> AsyncIterator[PartyFactory]:
    """`await party_factory(bitcoind, anvil)` makes a party with a wallet and money on each of the nodes."""
    from chains.testing.parties import Parties

    parties = Parties()
    try:
        yield parties.make
    finally:
        await parties.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the folders of nodes are that a failed test used."""
    for node in _kept:
        terminalreporter.write_line(f"{node.name}: data folder kept: {node.folder}")
