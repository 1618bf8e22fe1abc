"""Messages between EVM chains: what the contracts Outbox, Inbox and Quorum hash, take and say."""
