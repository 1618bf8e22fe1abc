"""The stored state of a party: `Store.open`."""

from settlement.store.store import Store

__all__ = ["Store"]
