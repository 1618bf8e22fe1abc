"""Exotic options by formula; see the modules."""
