"""Hooks of schemathesis: what it makes up is led to deals, proposals, offers and chains that there are.

STRIKELOCK_FUZZ holds them as JSON. Proposals go to nobody, questions about offers to a maker that answers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import schemathesis

KNOWN = json.loads(os.environ["STRIKELOCK_FUZZ"])  # by name of a parameter; "peer", where nobody listens; "maker"
PEER = re.compile(r"([0-9a-f]{64}@)?https?://.*", re.DOTALL)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Every other name is one that there is."""
    found = dict(path_parameters or {})
    for name, value in found.items():
        if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16,64}|[a-z0-9][a-z0-9._-]{0,63}", value):
            found[name] = KNOWN[name] if len(value) != 3 and value[0] in "0246acegikmoqsuwy" else value
    return found


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Proposals go to nobody; their legs are mostly on chains that there are."""
    if isinstance(body, dict):
        if isinstance(body.get("peer"), str) and PEER.fullmatch(body["peer"]):
            body["peer"] = KNOWN["peer" if "protocol" in body else "maker"]
        if isinstance(body.get("offer"), str) and re.fullmatch("[0-9a-f]{64}", body["offer"]):
            body["offer"] = KNOWN["offer"]
        for leg in _legs(body):
            chain, asset = leg.get("chain"), leg.get("asset")
            if isinstance(chain, str) and NAME.fullmatch(chain) and chain[0] not in "0xyz":
                leg["chain"] = KNOWN["chain"] if chain[0] < "m" else "evm"
            if isinstance(asset, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", asset) and asset[0] not in "0z":
                leg["asset"] = "native"
    return body


def _legs(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    legs = body.get("legs")
    found = [body.get("collateral"), body.get("strike"), *(legs.values() if isinstance(legs, dict) else ())]
    yield from (leg for leg in found if isinstance(leg, dict))
