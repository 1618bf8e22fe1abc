"""The document says what is served, and its page shows it, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import expect

from chains.errors import StrikelockError
from relayer.api import errors
from relayer.api.problems import problem, status_of, type_of
from tests.browser import chromium, visit
from tests.relayer.api.served import served


@pytest.fixture(scope="module")
async def api(tmp_path_factory):
    async with served(tmp_path_factory.mktemp("document")) as found:
        yield found


@pytest.fixture(scope="module")
async def document(api):
    return await (await api.client.get("/openapi.json")).json()


def _references(part) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [ref for value in part.values() for ref in _references(value)]
    return [ref for value in part for ref in _references(value)] if isinstance(part, list) else []


def test_every_reference_leads_somewhere(document):
    found = set(_references(document))
    assert found
    for ref in found:
        assert ref.removeprefix("#/components/schemas/") in document["components"]["schemas"], ref


def test_operations_have_names_of_their_own_and_say_how_they_refuse(document):
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    for one in operations:
        assert {"400", "401", "403", "421", "429", "503"} <= one["responses"].keys()
        assert one["security"] == [{"token": []}]


async def test_what_it_says_of_a_parameter_is_what_is_checked(api, document):
    limit = next(one for one in document["paths"]["/v1/deals"]["get"]["parameters"] if one["name"] == "limit")
    low, high = limit["schema"]["minimum"], limit["schema"]["maximum"]
    life = document["components"]["schemas"]["QuoteBody"]["properties"]["life"]
    assert (life["type"], life["minimum"]) == ("integer", 1)
    for value, status in ((low, 200), (high, 200), (low - 1, 400), (high + 1, 400)):
        assert (await api.read(f"/v1/deals?limit={value}")).status == status


async def test_what_needs_no_token_says_so(tmp_path):
    async with served(tmp_path, auth=False) as api:
        found = await (await api.client.get("/openapi.json")).json()
        assert found["paths"]["/v1/deals"]["get"]["security"] == [{"token": []}, {}]
        assert found["paths"]["/v1/proposals"]["post"]["security"] == [{"token": []}]


def test_each_failure_is_a_type_of_its_own_with_a_title():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StrikelockError)
    ]
    assert len({type_of(kind) for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert re.fullmatch("urn:strikelock:problem:[a-z-]+", type_of(kind))
        assert 400 <= status_of(kind) < 600
    found = problem(errors.KeyReused("a-key-of-ours"))
    assert json.loads(found.model_dump_json()) == {
        "type": "urn:strikelock:problem:key-reused",
        "title": "An idempotency key that was used for another request",
        "status": 409,
        "detail": "the key 'a-key-of-ours' was used for another request",
        "key": "a-key-of-ours",
    }


async def test_its_page_shows_it_and_loads_nothing_from_elsewhere(api, tmp_path):
    url = str(api.client.make_url("/")).rstrip("/")
    async with chromium(tmp_path) as browser, visit(browser, url, "/docs") as watched:
        page = watched.page
        await expect(page.get_by_role("heading", name="deals", exact=True)).to_be_visible()
        await page.locator("summary", has_text="/v1/deals/{deal}/wishes").click()
        operation = page.locator("details#wish")
        await expect(operation).to_contain_text("Idempotency-Key")
        await expect(operation).to_contain_text("urn:strikelock:problem:deal-over")
        await operation.get_by_role("link", name="WishBody").click()
        await expect(page.locator("details#model-WishBody")).to_have_attribute("open", "")
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
