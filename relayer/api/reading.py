"""Reading what a request says: parameters and bodies, bounded before anything is made of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, TypeAdapter, ValidationError

from chains import outside_json
from relayer.api.errors import BodyTooLarge, BodyTooSlow, InvalidJson, InvalidRequest, NoSuchPath, NotJson
from relayer.api.operation import PARAMS, Query

MAX_BODY: Final = 16 * 1024  # bytes; a proposal takes one
MAX_QUERY: Final = 1024  # characters of a value
BODY_SECONDS: Final = 5.0
SHOWN: Final = 80  # characters of what was wrong, in a message

_WHOLE = re.compile(r"-?[0-9]{1,18}")


def read_params(request: web.Request) -> dict[str, str]:
    """The names in the path. Raises NoSuchPath where one has not the shape of its kind."""
    found = dict(request.match_info)
    for name, value in found.items():
        if not PARAMS[name].fits(value):
            raise NoSuchPath(_short(request.path))
    return found


def read_query(model: type[Query], given: MultiMapping[str]) -> Query:
    """The parameters behind the question mark. Raises InvalidRequest."""
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name in values:
            raise InvalidRequest(_short(name), "it occurs twice")
        if len(text) > MAX_QUERY:
            raise InvalidRequest(_short(name), "it is too long")
        values[name] = _whole(name, text) if _is_number(model, name) else text
    try:
        return model.model_validate(values, strict=True)
    except ValidationError as error:
        raise _invalid(error, "query") from None


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidRequest(_short(name), "it must be a whole number")
    return int(text)


def _is_number(model: type[BaseModel], name: str) -> bool:
    found = model.model_fields.get(name)
    return found is not None and found.annotation is int


async def read_body(request: web.Request, adapter: TypeAdapter[Any]) -> Any:
    """The body. Raises NotJson, BodyTooLarge, BodyTooSlow, InvalidJson, InvalidRequest."""
    if request.content_type != "application/json":
        raise NotJson(_short(request.content_type))
    raw = await _bounded(request)
    try:
        outside_json.loads(raw, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(_short(str(error))) from None
    try:
        return adapter.validate_json(raw, strict=True)
    except ValidationError as error:
        raise _invalid(error, "body") from None


async def _bounded(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise BodyTooLarge(MAX_BODY)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise BodyTooLarge(MAX_BODY)
    except TimeoutError:
        raise BodyTooSlow(BODY_SECONDS) from None
    except web.RequestPayloadError as error:
        raise InvalidJson(_short(str(error))) from None
    return bytes(body)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """An object whose names occur once: else two readers of it could see two things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _invalid(error: ValidationError, where: str) -> InvalidRequest:
    """The first thing that is wrong."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(_short(str(part)) for part in first["loc"]) or where
    return InvalidRequest(place, first["msg"])


def _short(text: str) -> str:
    """What somebody sent, as it may be repeated to them."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:SHOWN])
    return shown.encode("ascii", "backslashreplace").decode()
