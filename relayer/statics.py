"""Static files of a package, each under a route of its own, and the headers that keep our pages to themselves."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Final

from aiohttp import web

from relayer.admission import Handler

# No inline code or style, nothing from elsewhere, no frame around us, and no way to make markup of text.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
INDEX: Final = "index.html"


def static_routes(package: str, under: str = "/") -> list[web.RouteDef]:
    """A route for each file in a package's folder `static`, so that no path from outside ever reaches the file
    system. under: the path of the index, the others stand beside it."""
    routes = []
    for file in files(package).joinpath("static").iterdir():
        kind = TYPES.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            path = under if file.name == INDEX else f"{under.rstrip('/')}/{file.name}"
            routes.append(web.get(path, _file(file.read_bytes(), kind)))
    return routes


def _file(content: bytes, kind: str) -> Handler:
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache", "ETag": tag}

    async def serve(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=content, headers=headers)

    return serve


async def guarded_headers(_: web.Request, response: web.StreamResponse) -> None:
    """The same headers on every answer: files, streams and refusals. A signal handler of an application."""
    response.headers.update(HEADERS)
