"""Deals: agreement between parties, keys, and the stored state."""
