"""Every command in a document is run by a test, here or where the text says, or the text says why not."""

from __future__ import annotations

import pytest

from tests.docs.blocks import DOCS, ROOT, Block, blocks, documents, normal
from tests.docs.shell import Shell

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PLAIN = ("tutorial.md", "operating.md")  # from their first command to their last, each in a folder of its own
TYPED = (*PLAIN, "two-daemons.md")  # the last by tests/docs/test_two_daemons.py
LEAST_REASON = 3  # words


def typed(name: str) -> list[Block]:
    return [block for block in blocks(DOCS / name) if block.mark is None]


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


@pytest.mark.parametrize("name", PLAIN)
def test_a_document_is_typed_from_start_to_end(shell, name):
    for block in typed(name):
        for command in block.commands:
            shell.type(command)
    assert [normal(command) for command in shell.ran] == [
        normal(command) for block in typed(name) for command in block.commands
    ]


def test_every_other_command_is_one_of_those_or_is_accounted_for():
    known = {normal(command) for name in TYPED for block in typed(name) for command in block.commands}
    left = [
        f"{block.where}: {command}"
        for path in documents()
        for block in blocks(path)
        if block.mark is None
        for command in block.commands
        if normal(command) not in known
    ]
    assert left == [], "run them here, or say before the block why not"


def test_whoever_is_said_to_run_a_command_names_its_words():
    for block in marked("run by"):
        file = ROOT / block.mark[1]
        assert file.is_file(), block.where
        text = file.read_text()
        for command in block.commands:
            words = normal(command).split()
            verb = next(word for word in words[1:] if not word.startswith("-"))
            assert verb in text, f"{block.where}: {file.name} does not say {verb!r}"


def test_reasons_are_reasons():
    for block in marked("not run"):
        assert len(block.mark[1].split()) >= LEAST_REASON, block.where


def marked(kind: str) -> list[Block]:
    found = [block for path in documents() for block in blocks(path) if block.mark and block.mark[0] == kind]
    assert found
    return found
