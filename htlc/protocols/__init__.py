"""Protocols as pure functions over facts."""
