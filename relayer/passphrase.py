"""Where the seed's passphrase comes from: a file, the environment, or the terminal; never the command line."""

from __future__ import annotations

import getpass
import os
import sys

from relayer.errors import BadRequest
from relayer.settings import Settings

VARIABLE = "STRIKELOCK_PASSPHRASE"


def passphrase(settings: Settings, confirm: bool = False) -> str:
    """The passphrase. Raises BadRequest where there is none and nobody to ask."""
    file = settings.party.passphrase_file
    if file is not None:
        try:
            return file.read_text().rstrip("\n")
        except OSError as error:
            raise BadRequest(f"the passphrase file can't be read: {error}") from error
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    if not sys.stdin.isatty():
        raise BadRequest(f"the seed's passphrase is needed: set {VARIABLE} or party.passphrase_file")
    first = getpass.getpass("passphrase of the seed: ")
    if confirm and getpass.getpass("once more: ") != first:
        raise BadRequest("the two passphrases differ")
    return first
