"""The relayer of messages between EVM chains. What it carries is proved where it arrives; it holds only gas."""
