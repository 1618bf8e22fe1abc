"""strikelock config: show and check the configuration."""

from __future__ import annotations

from typing import Any

import typer

from chains.errors import StrikelockError
from relayer.cli.output import DEFAULT_CONFIG, Config, Json, emit, fail

app = typer.Typer(no_args_is_help=True)

SECRET_WORDS = ("pass", "secret", "token", "key")


@app.command()
def show(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Print the configuration as it is used, secrets left out."""
    from relayer.settings import load

    try:
        settings = load(config)
    except StrikelockError as error:
        fail(error, json)
        return
    document = redact(settings.model_dump(mode="json", exclude_none=True))
    emit(document, json, lambda: _text(document))


@app.command()
def check(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Say everything that is wrong with a configuration, or that nothing is."""
    from relayer.settings import load

    try:
        load(config)
    except StrikelockError as error:
        fail(error, json)
    emit({"ok": True, "file": str(config)}, json, lambda: f"{config} is fine")


def redact(value: Any, name: str = "") -> Any:
    """A copy without secrets: values of keys that hold one, and credentials inside URLs."""
    from urllib.parse import urlsplit, urlunsplit

    if isinstance(value, dict):
        return {key: redact(item, key) for key, item in value.items()}
    if isinstance(value, str) and value:
        if any(word in name for word in SECRET_WORDS) and not name.endswith("_file"):
            return "***"
        if "://" in value and "@" in value:
            parts = urlsplit(value)
            return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
    return value


def _text(document: dict[str, Any]) -> str:
    import tomli_w
    from rich.markup import escape

    return escape(tomli_w.dumps(document))
