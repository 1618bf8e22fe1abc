"""What can go wrong with a test node. One failure, one class; the message is rendered from the fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.errors import StrikelockError


@dataclass(eq=False)
class NodeError(StrikelockError):
    """A test node failed. Callers that can do without the node catch this."""

    node: str


@dataclass(eq=False)
class NodeMissing(NodeError):
    """The node's program is nowhere: not configured, not on PATH, not brought by the set-up."""

    variable: str
    template = "{node} is missing: run `make setup`, put it on PATH or name it in {variable}"


@dataclass(eq=False)
class NodeFailed(NodeError):
    """The node ended or was not ready in time; `log` is the end of what it printed."""

    reason: str
    folder: Path
    log: str
    template = "{node}: {reason}; its data folder is {folder}, its log ends with:\n{log}"


@dataclass(eq=False)
class NodeRefused(NodeError):
    """The node answered a call with an error."""

    method: str
    code: int
    message: str
    template = "{node}: {method} was refused: {message} ({code})"


@dataclass(eq=False)
class NodeSilent(NodeError):
    """The node did not answer a call in time, or not at all."""

    method: str
    reason: str
    template = "{node}: no answer to {method} ({reason})"
