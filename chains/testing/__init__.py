"""Real nodes on loopback for tests: processes, fixtures and a pytest plugin."""
