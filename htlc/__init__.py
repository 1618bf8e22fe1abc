"""Policies, legs, timelocks, protocols and the driver that runs a deal."""
