"""An event loop whose time is virtual: it never waits, it jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
import types
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

RESOLUTION = 1e-4  # seconds; far above what a float loses within a run


class _NoSelector(selectors.BaseSelector):
    """Nothing comes from outside."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that can't come")
        if timeout > 0 and self.loop is not None:
            self.loop.jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()


@types.coroutine
def _go_on(coro: Coroutine[Any, Any, Any], waiting_for: Any) -> Generator[Any, Any, Any]:
    """The rest of a coroutine that was started by hand."""
    error: BaseException | None = None
    sent: Any = None
    while True:
        try:
            sent = yield waiting_for
            error = None
        except BaseException as thrown:  # it is the coroutine's to handle
            error = thrown
        try:
            waiting_for = coro.send(sent) if error is None else coro.throw(error)
        except StopIteration as result:
            return result.value


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing in it may use threads, sockets or the wall clock."""

    def __init__(self) -> None:
        self._virtual = 0.0
        selector = _NoSelector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = RESOLUTION

    def create_task(self, coro: Any, *, name: object = None, context: Any = None) -> Any:
        """Start a task at once. One that never has to wait, as nearly all here, costs no turn of the loop."""
        done: asyncio.Future[Any] = asyncio.Future(loop=self)
        try:
            waiting_for = coro.send(None)
        except StopIteration as result:
            done.set_result(result.value)
        except BaseException as error:
            done.set_exception(error)
        else:
            return asyncio.Task(_go_on(coro, waiting_for), loop=self)
        return done

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Do at once what would have a thread of its own."""
        done: asyncio.Future[Any] = asyncio.Future(loop=self)
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def time(self) -> float:
        return self._virtual

    def jump(self, seconds: float) -> None:
        self._virtual += seconds

    async def sleep_until(self, when: float) -> None:
        """Let time pass; at once where nobody else has a timer."""
        if self._scheduled:  # type: ignore[attr-defined]
            await asyncio.sleep(when - self._virtual)
        else:
            self._virtual = max(self._virtual, when)
