"""A client of the API, on the models that the server answers with.

async with Client("/run/strikelock/api.sock") as api:
    for deal in (await api.deals()).deals:
        print(deal.id, deal.margin)
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from chains.errors import StrikelockError
from relayer.api import models
from relayer.api.asks import (
    DecisionBody,
    ListingBody,
    OfferBody,
    PartBody,
    Propose,
    QuoteBody,
    SpotBody,
    TakeBody,
    TokenBody,
    WishBody,
)
from relayer.api.keys import HEADER
from relayer.api.problems import CONTENT_TYPE, Problem

T = TypeVar("T", bound=BaseModel)

ANSWER_SECONDS: Final = 30.0
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes
BAD: Final = 400
SILENT_SECONDS: Final = 45.0  # a stream that says nothing for so long, not even that it is there, is dead
AGAIN_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 60.0
MAX_LINE: Final = 1024 * 1024  # bytes of an event
HERE: Final = "http://localhost"  # what a request at a socket is addressed to


@dataclass(eq=False)
class ApiUnreachable(StrikelockError):
    """No daemon answers there as one should."""

    where: str
    reason: str
    template = "no daemon answers at {where} ({reason})"


@dataclass(eq=False)
class ApiRefused(StrikelockError):
    """The daemon said no. problem: its type, such as urn:strikelock:problem:no-such-deal."""

    status: int
    problem: str
    reason: str
    template = "{reason}"


News: TypeAlias = models.Reset | models.Deal | models.Proposal | models.Taking


@dataclass(frozen=True, slots=True)
class Event:
    """News. data: of a reset, that what stands now follows; else the deal, proposal or taking as it is now."""

    id: str
    data: News


KINDS: Final[dict[str, type[News]]] = {
    "reset": models.Reset,
    "deal": models.Deal,
    "proposal": models.Proposal,
    "taking": models.Taking,
}


class Client:
    """Talks to one daemon. where: a URL, or the path of a UNIX socket. Use `async with`. Each call raises
    ApiRefused or ApiUnreachable.

    What writes takes an idempotency key; one is made where none is given, so name one to be able to ask again
    after a failure.
    """

    def __init__(self, where: str | Path, token: str | None = None) -> None:
        self.where = str(where)
        self._base = self.where.rstrip("/") if "://" in self.where else HERE
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        plain = "://" in self.where
        connector = aiohttp.TCPConnector() if plain else aiohttp.UnixConnector(path=self.where)
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- deals -------------------------------------------------------------------------------------------

    async def deals(
        self, state: Literal["open", "closed"] = "open", first: int = 0, limit: int = 50
    ) -> models.DealPage:
        """Deals in short, the latest first."""
        return await self._get("/v1/deals", models.DealPage, state=state, first=first, limit=limit)

    async def deal(self, id_: str) -> models.Deal:
        """One deal."""
        return await self._get(f"/v1/deals/{id_}", models.Deal)

    async def terms(self, id_: str) -> models.TermsDocument:
        """What was agreed."""
        return await self._get(f"/v1/deals/{id_}/terms", models.TermsDocument)

    async def wish(self, id_: str, wish: models.WishName, key: str | None = None) -> models.Wishes:
        """Say what we want of a deal; what we want of it then."""
        return await self._post(f"/v1/deals/{id_}/wishes", models.Wishes, WishBody(wish=wish), key)

    async def legs(self, chain: str = "", state: str = "", first: int = 0, limit: int = 50) -> models.LegPage:
        """Legs of open deals."""
        return await self._get("/v1/legs", models.LegPage, chain=chain, state=state, first=first, limit=limit)

    async def leg(self, deal: str, name: str) -> models.Leg:
        """One leg of an open deal."""
        return await self._get(f"/v1/legs/{deal}/{name}", models.Leg)

    # --- agreeing ----------------------------------------------------------------------------------------

    async def proposals(self, state: str = "", first: int = 0, limit: int = 50) -> models.ProposalPage:
        """Proposals, the newest first."""
        return await self._get("/v1/proposals", models.ProposalPage, state=state, first=first, limit=limit)

    async def proposal(self, id_: str) -> models.Proposal:
        """One proposal."""
        return await self._get(f"/v1/proposals/{id_}", models.Proposal)

    async def propose(self, body: Propose, key: str | None = None) -> models.Proposal:
        """Propose a deal; it is stored when this returns, and sent soon after."""
        return await self._post("/v1/proposals", models.Proposal, body, key)

    async def decide(
        self,
        id_: str,
        decision: Literal["accept", "refuse"],
        backup: Literal["file", "chain", "none"] | None = None,
        key: str | None = None,
    ) -> models.Proposal:
        """Accept or refuse a proposal that was sent to us, or withdraw (`refuse`) one of ours."""
        body = DecisionBody(decision=decision, backup=backup)
        return await self._post(f"/v1/proposals/{id_}/decision", models.Proposal, body, key)

    async def quote(self, body: QuoteBody) -> models.Quote:
        """What an option is worth."""
        return await self._post("/v1/quotes", models.Quote, body, keyed=False)

    # --- offers ------------------------------------------------------------------------------------------

    async def offers(self, state: str = "open", first: int = 0, limit: int = 50) -> models.OfferPage:
        """Offers of ours, the newest first; `state`: open or all."""
        return await self._get("/v1/offers", models.OfferPage, state=state, first=first, limit=limit)

    async def offer(self, id_: str) -> models.Offer:
        """One of ours."""
        return await self._get(f"/v1/offers/{id_}", models.Offer)

    async def publish(self, body: OfferBody, key: str | None = None) -> models.Offer:
        """Publish an offer."""
        return await self._post("/v1/offers", models.Offer, body, key)

    async def withdraw(self, id_: str) -> models.Offer:
        """Sell no more of an offer."""
        return await self._ask("DELETE", f"/v1/offers/{id_}", models.Offer)

    async def set_spot(self, id_: str, spot: float) -> models.Offer:
        """The price that an offer is quoted by from now on."""
        return await self._post(f"/v1/offers/{id_}/spot", models.Offer, SpotBody(spot=spot), keyed=False)

    async def their_offers(self, peer: str, skip: int = 0) -> models.OfferPage:
        """Offers of another party."""
        body = ListingBody(peer=peer, skip=skip)
        return await self._post("/v1/market/offers", models.OfferPage, body, keyed=False)

    async def ask(self, peer: str, offer: str, size: int) -> models.PartQuote:
        """What a part of another's offer costs now."""
        body = PartBody(peer=peer, offer=offer, size=str(size))
        return await self._post("/v1/market/quotes", models.PartQuote, body, keyed=False)

    async def take(
        self, peer: str, offer: str, size: int, limit: int | None = None, key: str | None = None
    ) -> models.Taking:
        """Take a part of another's offer."""
        body = TakeBody(peer=peer, offer=offer, size=str(size), limit=None if limit is None else str(limit))
        return await self._post("/v1/takings", models.Taking, body, key)

    async def takings(self, offer: str = "", first: int = 0, limit: int = 50) -> models.TakingPage:
        """What was taken of our offers and by us."""
        return await self._get("/v1/takings", models.TakingPage, offer=offer, first=first, limit=limit)

    async def taking(self, id_: str) -> models.Taking:
        """One taking."""
        return await self._get(f"/v1/takings/{id_}", models.Taking)

    # --- what stands behind ------------------------------------------------------------------------------

    async def party(self) -> models.Party:
        """Who answers, and whether it is well."""
        return await self._get("/v1/party", models.Party)

    async def chains(self, first: int = 0, limit: int = 50) -> models.ChainPage:
        """Chains as they were seen last."""
        return await self._get("/v1/chains", models.ChainPage, first=first, limit=limit)

    async def chain(self, name: str) -> models.Chain:
        """One chain."""
        return await self._get(f"/v1/chains/{name}", models.Chain)

    async def fees(self, first: int = 0, limit: int = 50) -> models.FeePage:
        """Fees by chain."""
        return await self._get("/v1/fees", models.FeePage, first=first, limit=limit)

    async def fee(self, chain: str) -> models.Fees:
        """Fees on one chain."""
        return await self._get(f"/v1/fees/{chain}", models.Fees)

    async def accounts(self, first: int = 0, limit: int = 50) -> models.AccountPage:
        """Our wallets."""
        return await self._get("/v1/accounts", models.AccountPage, first=first, limit=limit)

    async def account(self, chain: str) -> models.Account:
        """Our wallet on one chain."""
        return await self._get(f"/v1/accounts/{chain}", models.Account)

    async def lanes(self, first: int = 0, limit: int = 50) -> models.LanePage:
        """Lanes of messages."""
        return await self._get("/v1/lanes", models.LanePage, first=first, limit=limit)

    async def lane(self, name: str) -> models.Lane:
        """One lane."""
        return await self._get(f"/v1/lanes/{name}", models.Lane)

    async def messages(self, lane: str, first: int = 0, limit: int = 50) -> models.MessagePage:
        """Messages of a lane, by index."""
        return await self._get(f"/v1/lanes/{lane}/messages", models.MessagePage, first=first, limit=limit)

    async def message(self, id_: str) -> models.Message:
        """One message."""
        return await self._get(f"/v1/messages/{id_}", models.Message)

    # --- following ---------------------------------------------------------------------------------------

    async def events(self, deal: str = "", patience: float = PATIENCE_SECONDS) -> AsyncGenerator[Event, None]:
        """Follow what changes, of one deal or of all; goes on where it was when the connection is lost. patience:
        seconds without a daemon, after which it raises ApiUnreachable."""
        last, loop = "", asyncio.get_running_loop()
        heard = loop.time()
        while True:
            try:
                async for event in self._stream(deal, last):
                    last, heard = event.id, loop.time()
                    yield event
            except ApiUnreachable:
                if loop.time() - heard > patience:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def _stream(self, deal: str, last: str) -> AsyncGenerator[Event, None]:
        """The events of one connection, until it ends."""
        headers = {"Last-Event-ID": last} if last else {}
        limit = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_SECONDS, sock_read=SILENT_SECONDS)
        url, params = self._base + "/v1/events", {"deal": deal}
        try:
            async with self._open().get(url, params=params, headers=headers, timeout=limit) as answer:
                if answer.status >= BAD:
                    raise self._refused(answer, await self._whole(answer.content))
                async for event in _events(answer.content):
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiUnreachable(self.where, str(error) or type(error).__name__) from error

    # --- tokens, at the socket only ----------------------------------------------------------------------

    async def tokens(self, first: int = 0, limit: int = 50) -> models.TokenPage:
        """Tokens without their secrets."""
        return await self._get("/v1/tokens", models.TokenPage, first=first, limit=limit)

    async def new_token(self, body: TokenBody) -> models.FreshToken:
        """A new token with its secret, which is not told again."""
        return await self._post("/v1/tokens", models.FreshToken, body, keyed=False)

    async def revoke_token(self, id_: str) -> models.Token:
        """Take a token back."""
        return await self._ask("DELETE", f"/v1/tokens/{id_}", models.Token)

    # --- inside ------------------------------------------------------------------------------------------

    async def _get(self, path: str, model: type[T], **query: str | int) -> T:
        return await self._ask("GET", path, model, params={k: str(v) for k, v in query.items()})

    async def _post(
        self, path: str, model: type[T], body: BaseModel, key: str | None = None, keyed: bool = True
    ) -> T:
        headers = {"Content-Type": "application/json"}
        if keyed:
            headers[HEADER] = key or secrets.token_hex(16)
        return await self._ask("POST", path, model, data=body.model_dump_json(), headers=headers)

    async def _ask(self, method: str, path: str, model: type[T], **more: Any) -> T:
        try:
            async with self._open().request(method, self._base + path, allow_redirects=False, **more) as answer:
                text = await self._whole(answer.content)
                if answer.status >= BAD:
                    raise self._refused(answer, text)
                return model.model_validate_json(text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachable(self.where, str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise ApiUnreachable(self.where, f"its answer is no {model.__name__}: {error.errors()[0]}") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ApiUnreachable(self.where, "the client is not open: use `async with`")
        return self._session

    async def _whole(self, content: aiohttp.StreamReader) -> bytes:
        text = bytearray()
        async for chunk in content.iter_any():
            text += chunk
            if len(text) > MAX_ANSWER:
                raise ApiUnreachable(self.where, f"its answer is longer than {MAX_ANSWER} bytes")
        return bytes(text)

    def _refused(self, answer: aiohttp.ClientResponse, text: bytes) -> StrikelockError:
        if answer.content_type != CONTENT_TYPE:
            return ApiUnreachable(self.where, f"it answered {answer.status}, which is no problem document")
        found = Problem.model_validate_json(text)
        return ApiRefused(answer.status, found.type, found.detail)


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[Event, None]:
    """Events as the lines of a stream give them; kinds that we don't know are passed over. Raises ValueError."""
    fields: dict[str, str] = {}
    async for line in _lines(content):
        if not line:
            kind = KINDS.get(fields.get("event", ""))
            if kind is not None and "data" in fields:
                yield Event(fields.get("id", ""), kind.model_validate_json(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[str, None]:
    """Lines, however long an event's is, within a bound. Raises ValueError."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise ValueError(f"a line of the stream is longer than {MAX_LINE} bytes")
        for line in lines:
            yield line.decode()
