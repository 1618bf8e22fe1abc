"""JSON from outside: read with a bound on its nesting.

The standard library's parser recurses for each bracket, up to Python's recursion limit, which libraries are known
to raise (py_ecc does, for one): then a few kilobytes of brackets overflow the C stack and end the process.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_NESTING = 32  # nothing we read needs a dozen

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?')


class TooDeep(ValueError):
    """Brackets within brackets beyond what anything of ours holds."""


def loads(text: str | bytes, **options: Any) -> Any:
    """`json.loads`, but TooDeep (a ValueError) for a text that nests too deeply."""
    plain = text if isinstance(text, str) else text.decode()
    depth = 0
    for char in _STRINGS.sub("", plain):
        if char in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise TooDeep(f"brackets are nested more than {MAX_NESTING} deep")
        elif char in "]}":
            depth -= 1
    return json.loads(plain, **options)
