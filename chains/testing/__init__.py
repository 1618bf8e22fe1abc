"""Real nodes for tests and developers: bitcoind, litecoind, anvil and PostgreSQL as child processes.

Each node has its own process group, data folder and free port; every wait is bounded. The pytest plugin in
`chains.testing.plugin` offers them as fixtures, also to other people's test suites.
"""
