"""The demo: two parties in processes of their own trade on real nodes, from offer to the last block."""
