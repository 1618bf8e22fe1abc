"""Addresses as the configuration writes them, HOST:PORT."""

from __future__ import annotations

from ipaddress import ip_address


def host_part(address: str) -> str:
    """HOST of HOST:PORT, without the brackets of an IPv6 address."""
    return address.rpartition(":")[0].strip("[]")


def is_local(host: str) -> bool:
    """Whether a name can only be this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
