"""Waiting for whatever happens first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*what: Coroutine[Any, Any, None]) -> None:
    """Do them at once, and return when all are over, also where one of them raises; the first error is raised
    then."""
    for result in await asyncio.gather(*what, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def first_of(timeout: float, *what: Coroutine[Any, Any, object]) -> None:
    """Return once one of them does, or after `timeout` seconds; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in what]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
