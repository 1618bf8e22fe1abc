"""A small world for tests and demos: real nodes under one clock, and parties with money on them."""
