"""python -m relayer.cli: the strikelock command."""

from relayer.cli.main import main

main()
