"""Bitcoin and Litecoin: one adapter, two sets of parameters."""
