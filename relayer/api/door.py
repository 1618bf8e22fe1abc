"""The way from an HTTP request to an operation: who asks, how often, for what; and back, answer or problem."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from chains.errors import StrikelockError
from relayer.addresses import is_local
from relayer.admission import Handler, host_of, is_foreign
from relayer.api.errors import (
    Broken,
    CrossSite,
    InvalidRequest,
    NoSuchPath,
    NotServedHere,
    ScopeTooSmall,
    TokenNeeded,
    TooManyRequests,
    WrongMethod,
)
from relayer.api.keys import HEADER, REPLAYED, Keys, Reply, fingerprint, read_key
from relayer.api.operation import AnyOperation, Call, Keyed
from relayer.api.problems import problem, refusal, status_of
from relayer.api.reading import read_body, read_params, read_query
from relayer.api.scopes import Caller, Scope
from relayer.api.tokens import Wardens
from settlement.gate import Limiter

log = structlog.get_logger(__name__)

NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Way:
    """How requests come in. hosts: names of ours that a Host header may have besides those of this machine; None
    where nobody can be led to us by a name, which is so at a UNIX socket. anonymous: whom we take for who shows
    no token."""

    hosts: Collection[str] | None
    anonymous: Callable[[web.Request], Caller]


class Door:
    """Serves operations over one way."""

    def __init__(self, way: Way, wardens: Wardens, keys: Keys, limiter: Limiter) -> None:
        self._way = way
        self._wardens = wardens
        self._keys = keys
        self._limiter = limiter

    # --- every request -----------------------------------------------------------------------------------

    @property
    def middlewares(self) -> tuple[Any, ...]:
        """For the application: failures as problems, and nothing for strangers."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        return (guarded,)

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._admit(request)
            return await handler(request)
        except StrikelockError as error:
            if status_of(type(error)) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                log.warning("request failed", path=request.path, reason=str(error))
            return refusal(error)
        except web.HTTPNotFound:
            return refusal(NoSuchPath(request.path))
        except web.HTTPMethodNotAllowed as error:
            answer = refusal(WrongMethod(request.method, ", ".join(sorted(error.allowed_methods))))
            answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            return answer
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return refusal(InvalidRequest("request", error.reason))
        except ConnectionError:
            raise  # whoever asked is gone
        except Exception:
            # A fault of ours in one request must not cost the process, nor tell how it works inside.
            log.exception("request failed", path=request.path)
            return refusal(Broken())

    def _admit(self, request: web.Request) -> None:
        host = host_of(request)
        if self._way.hosts is not None and not (is_local(host) or host in self._way.hosts):
            raise NotServedHere(host)
        if is_foreign(request):
            raise CrossSite

    async def _caller(self, request: web.Request) -> Caller:
        """Who asks; counted. A token that is no good counts for its address, so that guessing is slow and costs
        nobody else anything."""
        stranger = self._way.anonymous(request)
        try:
            caller = await self._wardens.caller(request.headers.get("Authorization")) or stranger
        except TokenNeeded:
            self._count(stranger)
            raise
        self._count(caller)
        return caller

    def _count(self, caller: Caller) -> None:
        wait = self._limiter.wait(caller.name, time.monotonic())
        if wait:
            raise TooManyRequests(wait)

    def for_all(self, handler: Handler) -> Handler:
        """A handler for everybody, within the rate of whoever asks."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self._count(self._way.anonymous(request))
            return await handler(request)

        return handle

    # --- operations --------------------------------------------------------------------------------------

    def handler(self, operation: AnyOperation) -> Handler:
        """What the application calls."""

        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await self._caller(request)
            _check_scope(caller, operation.scope)
            call = await _read(request, operation, caller)
            if operation.streams is not None:
                return await operation.streams(call)
            return _response(await self._reply(request, operation, call))

        return handle

    async def _reply(self, request: web.Request, operation: AnyOperation, call: Call[Any, Any]) -> Reply:
        async def work(made: str | None) -> Reply:
            return await _answer(operation, call, made)

        if call.key is None:
            return await _answer(operation, call, None)
        body = b"" if operation.body is None else operation.body.dump_json(call.body)
        return await self._keys.once(call.key, fingerprint(request.method, request.path, body), work)


def _check_scope(caller: Caller, needed: Scope) -> None:
    if caller.scope is None:
        raise TokenNeeded("a token is needed: Authorization: Bearer TOKEN")
    if not caller.may(needed):
        raise ScopeTooSmall(needed.value, caller.scope.value)


async def _read(request: web.Request, operation: AnyOperation, caller: Caller) -> Call[Any, Any]:
    params = read_params(request)
    query = read_query(operation.query, request.query)
    key = None
    if operation.keyed is not Keyed.NO:
        key = read_key(request, caller)
        if key is None and operation.keyed is Keyed.MUST:
            raise InvalidRequest(HEADER, "the header is missing: without it, asking again would do it again")
    body = None if operation.body is None else await read_body(request, operation.body)
    return Call(caller, request, params, query, body, key)


async def _answer(operation: AnyOperation, call: Call[Any, Any], made: str | None) -> Reply:
    """What the operation says; a refusal is an answer too."""
    if operation.answers is None:
        raise Broken
    try:
        found = await operation.answers(replace(call, made=made))
    except StrikelockError as error:
        if status_of(type(error)) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return Reply(status_of(type(error)), problem(error).model_dump_json())
    return Reply(operation.status, found.model_dump_json())


def _response(reply: Reply) -> web.Response:
    well = reply.status < HTTPStatus.BAD_REQUEST
    headers = {**NO_STORE, **({REPLAYED: "true"} if reply.again else {})}
    kind = "application/json" if well else "application/problem+json"
    return web.Response(text=reply.text, status=reply.status, content_type=kind, headers=headers)
