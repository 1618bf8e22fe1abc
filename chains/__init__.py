"""Chains: one narrow port, and the adapters behind it."""
