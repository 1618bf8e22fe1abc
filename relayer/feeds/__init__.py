"""Bitcoin's headers and proofs, brought to light clients on EVM chains."""
