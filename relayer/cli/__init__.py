"""The strikelock command."""
