"""Whom our HTTP addresses answer: requests that name us in their Host header, and that no other site's page sends.

A page in a browser may ask for any address of this machine. Where a name of its own was rebound to that address,
the name stands in the Host header; where it asks us by our own, the browser says in Origin and Sec-Fetch-Site
whose page it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from relayer.addresses import is_local

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OWN_SITES = ("none", "same-origin")  # the user typed the address, or the page is ours


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not name this machine in its Host header, and what another site's page asks."""
    if not is_local(host_of(request)):
        raise web.HTTPForbidden(text="this address is for this machine only")
    if is_foreign(request):
        raise web.HTTPForbidden(text="pages of other sites get nothing here")
    return await handler(request)


def host_of(request: web.Request) -> str:
    """The name or address in the Host header, without a port; "" where it can't be read."""
    try:
        return request.url.host or ""
    except ValueError:
        return ""


def is_foreign(request: web.Request) -> bool:
    """Whether a browser sent this for another site's page. Following a link to us is not that: the page that holds
    the link sees nothing of what we answer."""
    given = request.headers
    origin = given.get("Origin")
    if origin is not None and urlsplit(origin).netloc != given.get("Host", ""):
        return True
    if given.get("Sec-Fetch-Site", "none") in OWN_SITES:
        return False
    follows = given.get("Sec-Fetch-Mode") == "navigate" and given.get("Sec-Fetch-Dest") == "document"
    return not (follows and request.method in ("GET", "HEAD"))
