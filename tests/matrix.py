"""Cases of a large matrix: the share that every run plays, and the rest, which `--nightly` adds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def shared(share: Iterable[Any], whole: Iterable[Any] = ()) -> list[Any]:
    """The cases of `share`, and those of `whole` that are not among them for nightly runs only."""
    chosen = list(share)
    rest = [case for case in whole if case not in chosen]
    return [*map(_param, chosen), *(_param(case, pytest.mark.nightly) for case in rest)]


def _param(case: Any, *marks: Any) -> Any:
    return pytest.param(*case, marks=marks) if isinstance(case, tuple) else pytest.param(case, marks=marks)
