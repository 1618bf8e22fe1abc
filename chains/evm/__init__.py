"""EVM chains: vaults, accounts and the follower of their events."""
