"""Whom the API answers, and what it makes of requests that no client of ours would send."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from htlc.protocols.base import Will
from relayer.api import reading
from relayer.api.scopes import Scope
from relayer.api.tokens import FRESH_SECONDS, new_token
from tests.relayer.api.served import ABSENT, problem, served, stored

READS = ("/v1/deals", "/v1/party", "/v1/legs", "/v1/lanes", "/v1/proposals", "/v1/accounts", "/v1/fees")


@pytest.fixture(scope="module")
async def api(tmp_path_factory):
    async with served(tmp_path_factory.mktemp("door")) as found:
        yield found


@pytest.fixture(scope="module")
async def kept(api):
    return await stored(api)


# --- tokens ----------------------------------------------------------------------------------------------


async def test_a_token_opens_what_its_scope_says(api):
    wish = f"/v1/deals/{ABSENT}/wishes"
    for scope, status in (("read", 403), ("trade", 404), ("admin", 404)):
        assert (await api.client.get("/v1/deals", headers=api.bearer[scope])).status == 200
        answer = await api.client.post(wish, json={"wish": "refund"}, headers=api.bearer[scope])
        found = await problem(answer, status)
    assert found.type == "urn:strikelock:problem:no-such-deal"


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Basic slk_0000000000000000_" + "A" * 43,
        "Bearer slk_0000000000000000_" + "A" * 43,
        "Bearer slk_0000000000000000_" + "A" * 43 + "' OR 1=1 --",
        "Bearer é",
        "Bearer " + "A" * 4000,
    ],
)
async def test_without_a_good_token_nothing_is_said(api, shown):
    headers = {} if shown is None else {"Authorization": shown}
    for path in READS:
        answer = await api.client.get(path, headers=headers)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await problem(answer, 401)).type == "urn:strikelock:problem:token-needed"


async def test_a_token_with_another_secret_is_refused(api):
    shown = api.bearer["read"]["Authorization"]
    other = shown[:-1] + ("A" if shown[-1] != "A" else "B")
    await problem(await api.client.get("/v1/deals", headers={"Authorization": other}), 401)


async def test_a_token_ends(api):
    record, secret = new_token("short", Scope.READ, 1000, 10)
    await api.store.tokens.add(record)
    await problem(await api.client.get("/v1/deals", headers={"Authorization": f"Bearer {secret}"}), 401)


async def test_a_token_that_was_taken_back_is_good_no_more(api):
    record, secret = new_token("taken back", Scope.READ, int(time.time()), None)
    await api.store.tokens.add(record)
    headers = {"Authorization": f"Bearer {secret}"}
    await asyncio.sleep(FRESH_SECONDS)
    assert (await api.client.get("/v1/deals", headers=headers)).status == 200
    await api.store.tokens.revoke(record.id, 1)  # as the command does, in another process
    await asyncio.sleep(FRESH_SECONDS)
    await problem(await api.client.get("/v1/deals", headers=headers), 401)


async def test_what_rules_the_server_is_not_at_the_address(api):
    for method, path in (("GET", "/v1/tokens"), ("POST", "/v1/tokens"), ("DELETE", "/v1/tokens/" + "0" * 16)):
        await problem(await api.client.request(method, path, headers=api.bearer["admin"]), 404)


async def test_without_authentication_reading_is_free_and_nothing_else(tmp_path):
    async with served(tmp_path, auth=False) as api:
        assert (await api.client.get("/v1/deals")).status == 200
        wish = f"/v1/deals/{ABSENT}/wishes"
        await problem(await api.client.post(wish, json={"wish": "refund"}), 403)
        await problem(await api.client.get("/v1/deals", headers={"Authorization": "Bearer x"}), 401)


# --- sites -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example:80"]
)
async def test_a_name_that_is_not_ours_gets_nothing(api, host):
    for path in ("/v1/deals", "/docs", "/openapi.json"):
        answer = await api.client.get(path, headers={**api.bearer["read"], "Host": host})
        assert (await problem(answer, 421)).type == "urn:strikelock:problem:not-served-here"


async def test_names_of_the_configuration_are_ours(tmp_path):
    async with served(tmp_path, hosts=("api.example",)) as api:
        assert (await api.read("/v1/deals")).status == 200
        headers = {**api.bearer["read"], "Host": "api.example"}
        assert (await api.client.get("/v1/deals", headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
async def test_pages_of_other_sites_get_nothing(api, headers):
    answer = await api.client.get("/v1/deals", headers={**api.bearer["read"], **headers})
    assert (await problem(answer, 403)).type == "urn:strikelock:problem:cross-site"
    answer = await api.trade(f"/v1/deals/{ABSENT}/wishes", {"wish": "stop"}, **headers)
    assert (await problem(answer, 403)).type == "urn:strikelock:problem:cross-site"


async def test_a_page_of_ours_and_a_link_to_it_are_served(api):
    own = {"Origin": f"http://{api.client.host}:{api.client.port}", "Sec-Fetch-Site": "same-origin"}
    assert (await api.client.get("/v1/deals", headers={**api.bearer["read"], **own})).status == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await api.client.get("/docs", headers=link)).status == 200


# --- shapes ----------------------------------------------------------------------------------------------

IDS = [
    "x",
    "0" * 31,
    "0" * 33,
    "0" * 4000,
    "A" * 32,
    "' OR 1=1 --".ljust(32, "0"),
    "%27%20OR%201%3D1",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%00",
    "0" * 31 + "%0a",
    "é",
]


@pytest.mark.parametrize("bad", IDS)
async def test_what_is_no_id_is_not_looked_for(api, bad):
    for path in ("/v1/deals/{}", "/v1/deals/{}/terms", "/v1/proposals/{}", "/v1/messages/{}", "/v1/legs/{}/x"):
        found = await problem(await api.read(path.format(bad)), 404)
        assert "Traceback" not in found.detail
        assert len(found.detail) < 1000


@pytest.mark.parametrize(
    "query",
    ["first=-1", "first=1.0", "first=1e3", "first=x", "limit=0", "limit=101", "more=1", "first=1&first=2",
     "first=" + "9" * 400, "first=%00", "state=all", "state=open'--", "first=", "limit=١"],
)  # fmt: skip
async def test_bad_parameters_are_refused(api, query):
    found = await problem(await api.read(f"/v1/deals?{query}"), 400)
    assert found.type == "urn:strikelock:problem:invalid-request"


WISH = b'{"wish": "refund"}'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"\xff", 400),
        (b'{"wish": "all"}', 400),
        (b'{"wish": "refund", "more": 1}', 400),
        (b'{"wish": ["refund"]}', 400),
        (b'{"wish": "exercise", "wish": "refund"}', 400),
        (b'{"wish": NaN}', 400),
        (b'{"wish": -Infinity}', 400),
        (b'{"wish": 1' + b"0" * 400 + b"}", 400),
        (b'{"wish": 1' + b"0" * 10_000 + b"}", 400),
        (b'{"wish": 1e400}', 400),
        (b"[" * 8000, 400),
        (b'{"a":' * 3000, 400),
        (b'{"wish": "refund"}' + b" " * 20_000, 413),
        (b'"' + b"\\" * 9000, 400),
    ],
)
async def test_bad_bodies_are_refused_and_change_nothing(api, kept, body, status):
    path, headers = f"/v1/deals/{kept.id}/wishes", {**api.bearer["trade"], "Content-Type": "application/json"}
    found = await problem(await api.client.post(path, data=body, headers=headers), status)
    assert len(found.detail) < 400
    assert (await api.store.deal(kept.id)).will == Will()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_could_send_is_refused(api, kind):
    headers = {**api.bearer["trade"], "Content-Type": kind}
    found = await api.client.post(f"/v1/deals/{ABSENT}/wishes", data=WISH, headers=headers)
    assert (await problem(found, 415)).type == "urn:strikelock:problem:not-json"


async def test_a_body_that_does_not_come_is_not_waited_for(api, monkeypatch):
    monkeypatch.setattr(reading, "BODY_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    headers = {**api.bearer["trade"], "Content-Type": "application/json"}
    async with asyncio.timeout(10):
        answer = await api.client.post(f"/v1/deals/{ABSENT}/wishes", data=never(), headers=headers)
    assert (await problem(answer, 408)).type == "urn:strikelock:problem:body-too-slow"


async def test_a_chunked_body_is_bounded_as_well(api):
    async def much() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    headers = {**api.bearer["trade"], "Content-Type": "application/json"}
    await problem(await api.client.post(f"/v1/deals/{ABSENT}/wishes", data=much(), headers=headers), 413)


async def test_paths_and_methods_that_there_are_not(api):
    for path in ("/", "/v1", "/v2/deals", "/v1/deals/", "/docs/..%2fapp.py", "/docs/app.py", "/v1/none"):
        await problem(await api.read(path), 404)
    for method in ("PUT", "PATCH", "DELETE", "POST", "TRACE"):
        answer = await api.client.request(method, "/v1/deals", headers=api.bearer["trade"])
        await problem(answer, 405)
        assert "GET" in answer.headers["Allow"]


# --- rates -----------------------------------------------------------------------------------------------


async def test_who_asks_too_often_is_told_to_wait(tmp_path):
    async with served(tmp_path, rate=1) as api:
        answers = [await api.read("/v1/party") for _ in range(6)]
        assert [answer.status for answer in answers][:4] == [200] * 4
        refused = await problem(answers[-1], 429)
        assert refused.type == "urn:strikelock:problem:too-many-requests"
        assert int(answers[-1].headers["Retry-After"]) >= 1
        other = await api.client.get("/v1/party", headers=api.bearer["trade"])
        assert other.status == 200  # one caller's haste is not another's


async def test_who_guesses_tokens_is_slowed_and_slows_nobody_who_has_one(tmp_path):
    async with served(tmp_path, rate=1) as api:
        wrong = {"Authorization": "Bearer slk_0000000000000000_" + "A" * 43}
        statuses = [(await api.client.get("/v1/party", headers=wrong)).status for _ in range(6)]
        assert statuses[-1] == 429
        assert (await api.read("/v1/party")).status == 200


async def test_a_fault_of_ours_says_nothing_of_how_it_came_about(api, monkeypatch):
    def broken() -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(api.daemon, "vitals", broken)
    text = await (answer := await api.read("/v1/party")).text()
    assert (await problem(answer, 500)).type == "urn:strikelock:problem:broken"
    assert "secret" not in text


async def test_answers_are_kept_nowhere(api):
    for path in (*READS, f"/v1/deals/{ABSENT}"):
        assert (await api.read(path)).headers["Cache-Control"] == "no-store"


async def test_the_document_and_its_page_need_no_token(api):
    for path in ("/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css"):
        assert (await api.client.get(path)).status == 200
    found = json.loads(await (await api.client.get("/openapi.json")).text())
    assert found["openapi"] == "3.1.0"
    assert "/v1/tokens" not in found["paths"]
