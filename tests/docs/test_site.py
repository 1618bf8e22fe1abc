"""The documentation as a site: built as `make docs` does it, from this machine alone."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.docs.blocks import DOCS, ROOT

LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
NOT_LOADED = {"canonical", "prev", "next", "edit", "alternate"}  # links of a page that no browser fetches
TEST = re.compile(r"`((?:test|testFuzz|invariant)_\w+)`")
WHERE = ("tests", "chains/evm/contracts/test")  # what tests are written in
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Resources(HTMLParser):
    """Everything that a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in LOADED and values.get(LOADED[tag]) and values.get("rel") not in NOT_LOADED:
            self.found.append(values[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built strictly: a broken link, a missing anchor or a page that no menu shows is an error."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_there(site):
    for page in DOCS.rglob("*.md"):
        name = "index.html" if page.name == "README.md" else f"{page.stem}.html"
        assert (site / page.relative_to(DOCS).parent / name).is_file(), page


def test_tests_that_pages_name_exist():
    words = {
        word
        for where in WHERE
        for file in (ROOT / where).rglob("*")
        if file.suffix in (".py", ".sol")
        for word in re.findall(r"\b(?:def|function) (\w+)", file.read_text())
    }
    for page in DOCS.rglob("*.md"):
        assert set(TEST.findall(page.read_text())) <= words, page


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        parser = Resources()
        parser.feed(page.read_text())
        assert parser.found, page
        outside = [url for url in parser.found if re.match(r"^(\w+:)?//", url)]
        assert outside == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(\w+:)?//", style.read_text()), style


def test_links_of_the_readme_lead_somewhere():
    for link in LINK.findall((ROOT / "README.md").read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        assert (ROOT / target).exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (ROOT / target).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w]+", "-", heading.lower()).strip("-") for heading in headings}, link
