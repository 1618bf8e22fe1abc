"""The OpenAPI 3.1 document, from the same operations and models that serve requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from chains.errors import StrikelockError
from relayer.api.errors import (
    BodyTooLarge,
    BodyTooSlow,
    Broken,
    CrossSite,
    InvalidJson,
    InvalidRequest,
    KeyBusy,
    KeyReused,
    NoSuchPath,
    NotJson,
    NotServedHere,
    ScopeTooSmall,
    TokenNeeded,
    TooManyRequests,
)
from relayer.api.keys import HEADER, KEPT_SECONDS, PATTERN
from relayer.api.operation import PARAMS, AnyOperation, Keyed
from relayer.api.problems import CONTENT_TYPE, Problem, status_of, title_of, type_of
from relayer.api.scopes import Scope
from settlement.store.errors import StoreUnavailable

REF: Final = "#/components/schemas/{model}"
ABOUT: Final = (
    "What a running Strikelock party does and sees, and what may be asked of it. Amounts are whole numbers of the"
    " smallest unit, written as strings; times are UNIX seconds. Failures are problem documents (RFC 9457)."
)
ALWAYS: Final = (NotServedHere, CrossSite, TokenNeeded, ScopeTooSmall, TooManyRequests, StoreUnavailable, Broken)
OF_BODIES: Final = (InvalidJson, InvalidRequest, NotJson, BodyTooLarge, BodyTooSlow)


def document(operations: Iterable[AnyOperation], anonymous_reads: bool) -> dict[str, Any]:
    """The document of what is served. anonymous_reads: whether reading needs no token."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, schemas, anonymous_reads
        )
    _model(Problem, schemas)
    scheme = {"type": "http", "scheme": "bearer", "description": "made by `strikelock token new`"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Strikelock",
            "version": version("strikelock"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": {"token": scheme}},
    }


def _operation(operation: AnyOperation, schemas: dict[str, Any], anonymous_reads: bool) -> dict[str, Any]:
    open_to_all = anonymous_reads and operation.scope is Scope.READ
    found: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.about,
        "description": f"Scope: {operation.scope.value}.",
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation, schemas),
        "security": [{"token": []}, *([{}] if open_to_all else [])],
    }
    if operation.body is not None:
        content = {"application/json": {"schema": _adapted(operation.body, schemas)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


# --- what is asked ---------------------------------------------------------------------------------------


def _parameters(operation: AnyOperation) -> Iterator[dict[str, Any]]:
    for name in operation.params:
        param = PARAMS[name]
        schema = {"type": "string", "pattern": param.pattern}
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": param.about,
            "schema": schema,
            "example": param.example,
        }
    query = operation.query.model_json_schema()
    for name, schema in query.get("properties", {}).items():
        plain = {key: value for key, value in schema.items() if key not in ("title", "description")}
        found = {"name": name, "in": "query", "description": schema.get("description", ""), "schema": plain}
        yield {**found, "required": True} if name in query.get("required", ()) else found
    if operation.streams is not None:
        about = "The id of the last event that was received: the stream goes on after it, if that is still known."
        yield {"name": "Last-Event-ID", "in": "header", "description": about, "schema": {"type": "string"}}
    if operation.keyed is not Keyed.NO:
        about = (
            f"The same key and body within {KEPT_SECONDS // 3600} hours: the same answer, and nothing done twice."
        )
        yield {
            "name": HEADER,
            "in": "header",
            "required": operation.keyed is Keyed.MUST,
            "description": about,
            "schema": {"type": "string", "pattern": PATTERN},
        }


# --- what is answered ------------------------------------------------------------------------------------


def _responses(operation: AnyOperation, schemas: dict[str, Any]) -> dict[str, Any]:
    kind = "application/json" if operation.streams is None else "text/event-stream"
    schema = _model(operation.answer, schemas)
    if operation.streams is not None:
        about = "server-sent events: reset, deal, proposal, taking; data is JSON"
        schema = {"type": "string", "description": about}
    well = {"description": title(operation.answer), "content": {kind: {"schema": schema}}}
    by_status: dict[int, list[type[StrikelockError]]] = {}
    for error in sorted(set(_problems(operation)), key=lambda kind: kind.__name__):
        by_status.setdefault(status_of(error), []).append(error)
    refused = {str(status): _refused(kinds) for status, kinds in sorted(by_status.items())}
    return {str(operation.status): well, **refused}


def _problems(operation: AnyOperation) -> Iterator[type[StrikelockError]]:
    yield from ALWAYS
    yield InvalidRequest  # parameters behind the question mark
    if operation.params:
        yield NoSuchPath
    if operation.body is not None:
        yield from OF_BODIES
    if operation.keyed is not Keyed.NO:
        yield from (KeyReused, KeyBusy)
    yield from operation.problems


def _refused(kinds: list[type[StrikelockError]]) -> dict[str, Any]:
    words = "\n".join(f"* `{type_of(kind)}`: {title_of(kind)}." for kind in kinds)
    content = {CONTENT_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}
    return {"description": words, "content": content}


def title(model: type[BaseModel]) -> str:
    """What the docstring of a model says first."""
    return " ".join((model.__doc__ or model.__name__).split()).split(". ")[0].rstrip(".") + "."


# --- schemas ---------------------------------------------------------------------------------------------


def _model(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to a model, which is put among the schemas with all that it needs."""
    schema = model.model_json_schema(ref_template=REF, mode="serialization")
    _put(schema.pop("$defs", {}), schemas)
    _put({model.__name__: schema}, schemas)
    return {"$ref": REF.format(model=model.__name__)}


def _adapted(adapter: TypeAdapter[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = adapter.json_schema(ref_template=REF, mode="validation")
    _put(schema.pop("$defs", {}), schemas)
    if "title" in schema:
        name = str(schema["title"])
        _put({name: schema}, schemas)
        return {"$ref": REF.format(model=name)}
    return schema


def _put(found: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    for name, schema in found.items():
        if schemas.setdefault(name, schema) != schema:
            raise AmbiguousModel(name)


class AmbiguousModel(TypeError):
    """Two models of one name: a fault of whoever wrote the second."""
