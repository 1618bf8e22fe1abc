"""Commands in documents: every block of shell commands, and what the text says of those that no test runs here.

A comment before a block says so: `<!-- not run: REASON -->`, or `<!-- run by: tests/FILE.py -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SHELLS = ("sh", "bash", "shell", "console")
PROGRAMS = (
    "strikelock", ".venv/bin/", "make", "export", "pip", "ssh", "curl", "git", "systemctl", "kill", "apt", "sudo",
    "cp", "cat", "mkdir", "prometheus", "python", "npm", ".", "createdb", "promtool", "openssl", "docker",
)  # fmt: skip
MARK = re.compile(r"<!--\s*(not run|run by):\s*(.*?)\s*-->", re.DOTALL)
FILE = re.compile(r"<!--\s*file:\s*(\S+)\s*-->")
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w+-]*)\s*$")
VARIABLE = re.compile(r"^[A-Z_]+=\S* ")
PROMPT = re.compile(r"^\$ ")


@dataclass(frozen=True, slots=True)
class Block:
    """Commands that stand together. mark: ("not run" or "run by", what for or where), if there is one."""

    document: str
    line: int
    commands: tuple[str, ...]
    mark: tuple[str, str] | None

    @property
    def where(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[Path]:
    """The README and every page, but for records of decisions, whose commands are history."""
    pages = [path for path in sorted(DOCS.rglob("*.md")) if path.parent.name != "decisions"]
    return [ROOT / "README.md", *pages]


def blocks(path: Path) -> list[Block]:
    """The blocks of shell commands of a document, in order."""
    lines = path.read_text().splitlines()
    found = []
    for start, info, body in _code(lines):
        commands = tuple(_commands(body))
        if info in SHELLS or (not info and any(map(_is_shell, commands))):
            found.append(Block(str(path.relative_to(ROOT)), start + 1, commands, _mark(lines, start)))
    return found


def files(path: Path) -> dict[str, str]:
    """What the reader is told to save, by name: `<!-- file: NAME -->` stands before it."""
    lines = path.read_text().splitlines()
    found = {}
    for start, _, body in _code(lines):
        said = FILE.search(next((line for line in reversed(lines[:start]) if line.strip()), ""))
        if said:
            found[said[1]] = "\n".join(body) + "\n"
    return found


def normal(command: str) -> str:
    """A command without what makes no difference: where the program is, spaces, the background."""
    text = re.sub(r"\s+", " ", command).strip().removesuffix("&").strip()
    return text.removeprefix(".venv/bin/")


def _code(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(first line, language, lines) of everything that is code: fenced, or indented by four after a blank line."""
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence:
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip().startswith(fence[2]))
            yield at, fence[3], lines[at + 1 : end]
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield at, "", lines[at:end]
            at = end
        else:
            at += 1


def _commands(body: list[str]) -> Iterator[str]:
    """Whole commands, without comments: what ends with a backslash goes on in the next line."""
    command = ""
    for line in body:
        text = PROMPT.sub("", re.sub(r"(^|\s+)#\s.*$", "", line.strip()))
        command += text.removesuffix("\\").rstrip() + " " if text.endswith("\\") else text
        if not text.endswith("\\"):
            if command.strip():
                yield command.strip()
            command = ""


def _is_shell(command: str) -> bool:
    while VARIABLE.match(command):
        command = VARIABLE.sub("", command)
    first = command.split(" ", 1)[0]
    return first in PROGRAMS or first.startswith(".venv/bin/")


def _mark(lines: list[str], start: int) -> tuple[str, str] | None:
    """The comment that ends right before a block, if there is one."""
    before = "\n".join(lines[:start]).rstrip()
    found = [match for match in MARK.finditer(before) if match.end() == len(before)]
    return (found[-1][1], " ".join(found[-1][2].split())) if found else None
