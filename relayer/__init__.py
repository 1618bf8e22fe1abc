"""The relayer, the daemon, its API and the command line."""
