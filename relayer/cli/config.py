"""strikelock config: show and check the configuration."""

from __future__ import annotations

from typing import Any

import typer

from chains.errors import StrikelockError
from relayer.cli.output import DEFAULT_CONFIG, Config, Json, Set, emit, fail

app = typer.Typer(no_args_is_help=True)

SECRET_WORDS = ("pass", "secret", "token", "key")
NODE_SCHEMES = ("http", "https", "ws", "wss")


@app.command()
def show(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """Print the configuration as it is used, secrets left out."""
    from relayer.loading import load

    try:
        settings = load(config, set_ or ())
    except StrikelockError as error:
        fail(error, json)
        return
    document = redact(settings.model_dump(mode="json", exclude_none=True))
    emit(document, json, lambda: _text(document))


@app.command()
def check(config: Config = DEFAULT_CONFIG, set_: Set = None, json: Json = False) -> None:
    """Say everything that is wrong with a configuration, or that nothing is."""
    from relayer.loading import load

    try:
        load(config, set_ or ())
    except StrikelockError as error:
        fail(error, json)
    emit({"ok": True, "file": str(config)}, json, lambda: f"{config} is fine")


@app.command()
def reference() -> None:
    """Print every key with its default and its meaning: configs/reference.toml."""
    from relayer.reference import reference as text

    typer.echo(text(), nl=False)


def redact(value: Any, name: str = "") -> Any:
    """A copy without secrets: values of keys that hold one, and what could be one inside URLs: user and password,
    and the path and query, where providers of nodes put their keys."""
    from urllib.parse import urlsplit, urlunsplit

    if isinstance(value, dict):
        return {key: redact(item, key) for key, item in value.items()}
    if isinstance(value, str) and value:
        if any(word in name for word in SECRET_WORDS) and not name.endswith("_file"):
            return "***"
        if "://" in value:
            parts = urlsplit(value)
            _, at, host = parts.netloc.rpartition("@")
            hidden = {"netloc": f"***@{host}" if at else host}
            if parts.scheme in NODE_SCHEMES:
                hidden |= {"path": "/***" if parts.path.strip("/") else parts.path, "query": parts.query and "***"}
            return urlunsplit(parts._replace(**hidden))
    return value


def _text(document: dict[str, Any]) -> str:
    import tomli_w
    from rich.markup import escape

    return escape(tomli_w.dumps(document))
