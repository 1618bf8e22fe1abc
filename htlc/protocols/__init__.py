"""Protocols as pure functions over facts."""

from __future__ import annotations

from collections.abc import Mapping

from htlc.errors import UnknownProtocol
from htlc.protocols.attested import ATTESTED
from htlc.protocols.base import DealProtocol
from htlc.protocols.option import OPTION
from htlc.protocols.swap import SWAP

PROTOCOLS: Mapping[str, DealProtocol] = {one.name: one for one in (SWAP, OPTION, ATTESTED)}


def protocol(name: str) -> DealProtocol:
    """The protocol of that name. Raises UnknownProtocol."""
    if name not in PROTOCOLS:
        raise UnknownProtocol(name)
    return PROTOCOLS[name]
