"""Exit codes of the command: what a supervisor, or a script, may conclude."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Anything but the last three may be tried again."""

    OK = 0
    FAILURE = 1  # the request could not be carried out; the message says why
    USAGE = 2  # the command line makes no sense
    UNHEALTHY = 3  # health-check: something is not as it must be
    IN_USE = 4  # another process drives this database
    CONFIG = 78  # the configuration or the seed can't be used (EX_CONFIG of sysexits.h)
    HALT = 79  # stopped for safety: somebody must look before it is started again
    INTERRUPTED = 130  # stopped hard, by a second signal (128 + SIGINT)
