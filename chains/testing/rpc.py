"""A small JSON-RPC client for test nodes: one call, one connection, bounded, independent of the event loop."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chains.testing.errors import NodeRefused, NodeSilent

TIMEOUT = 60.0  # seconds; mining some hundred blocks is the longest call


@dataclass(frozen=True, slots=True)
class JsonRpc:
    """Calls the node `node` at `url` (credentials in the address)."""

    node: str
    url: str

    async def call(self, method: str, *params: Any, within: float = TIMEOUT) -> Any:
        """The result of a call; decimals come as `Decimal`. Raises `NodeRefused` or `NodeSilent`."""
        import aiohttp  # here, because loading the pytest plugin must stay cheap

        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        limit = aiohttp.ClientTimeout(total=within)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.post(self.url, json=request) as response,
            ):
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NodeSilent(self.node, method, f"{type(error).__name__} {error}".strip()) from error
        return self._result(method, body)

    def _result(self, method: str, body: str) -> Any:
        try:
            answer = json.loads(body, parse_float=Decimal)
        except ValueError as error:
            raise NodeSilent(self.node, method, f"no JSON: {body[:80]!r}") from error
        if refusal := answer.get("error"):
            code, message = int(refusal.get("code", 0)), str(refusal.get("message", refusal))
            raise NodeRefused(self.node, method, code, message)
        return answer["result"]
