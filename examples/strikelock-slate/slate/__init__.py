"""A chain that is a file on this machine: blocks, accounts with nonces, and legs that open to whoever may."""
