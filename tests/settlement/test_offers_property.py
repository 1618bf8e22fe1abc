"""Whatever takers do, in any order, whoever dies meanwhile: no more of an offer is sold than there is of it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.limits import Limits
from settlement.messages import Kind, Message, seal
from settlement.quotes import AskBody, QuoteBody, TakeBody
from settlement.store import Store
from settlement.store.errors import StoreUnavailable
from settlement.takings import TakingState
from tests.settlement import parties
from tests.settlement.parties import Party, conditions
from tests.settlement.samples import AT

UNIT = 10**7
SIZE = 6 * UNIT
LIMITS = Limits(per_peer=2, total=3, cooldown=100)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.integers(0, 1), st.integers(1, 6)),
        st.tuples(st.just("ask"), st.integers(0, 1), st.integers(1, 6)),
        st.tuples(st.just("take"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("answer"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 61, 120]), st.just(0)),
        st.tuples(st.just("lapse"), st.just(0), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(["unfunded", "abandoned", "expired"])),
        st.tuples(st.just("pay"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    min_size=8,
    max_size=30,
)


@dataclass
class Market:
    """A maker, two takers, and what they have said to each other."""

    maker: Party
    takers: list[Party]
    offer: str
    quotes: list[tuple[int, Message]] = field(default_factory=list)
    proposals: dict[str, tuple[int, Message]] = field(default_factory=dict)
    deals: list[str] = field(default_factory=list)
    nonce: int = 0

    async def ask(self, who: int, parts: int) -> None:
        self.nonce += 1
        body = AskBody(self.offer, parts * UNIT, f"{self.nonce:032x}").to_json()
        answer = await self.maker.shop.receive(self._say(who, Kind.ASK, body))
        if answer.kind is Kind.QUOTE:
            self.quotes.append((who, answer))

    async def take(self, index: int, dies: bool) -> None:
        """Take a quote, perhaps again. dies: the maker's disk fails as it reserves the part."""
        if not self.quotes:
            return
        who, quote = self.quotes[index % len(self.quotes)]
        message = self._say(who, Kind.TAKE, TakeBody(quote.text, "").to_json())
        if dies:
            await self._fail_once(message)
            self.maker.build()
        answer = await self.maker.shop.receive(message)
        if answer.kind is Kind.PROPOSAL:
            known = self.proposals.setdefault(quote.id, (who, answer))
            assert known[1].text == answer.text  # one quote, one proposal, for ever

    async def _fail_once(self, message: Message) -> None:
        write = self.maker.store._database.write

        async def failing(work, after=None):
            def broken(connection):
                work(connection)
                raise StoreUnavailable("paper", "the process dies before it commits")

            return await write(broken, after)

        self.maker.store._database.write = failing
        try:
            answer = await self.maker.shop.receive(message)
            assert answer.kind in (Kind.REFUSAL, Kind.PROPOSAL)  # one that was made before is found
        finally:
            del self.maker.store._database.write

    async def answer(self, index: int, lost: bool) -> None:
        """The taker accepts what it took. lost: the maker never hears of it."""
        if not self.proposals:
            return
        quote_id, (who, proposal) = list(self.proposals.items())[index % len(self.proposals)]
        taker = self.takers[who]
        quote = next(message for _, message in self.quotes if message.id == quote_id)
        offer = (await self.maker.shop.offer(self.offer)).offer
        from settlement.taker import Quoted

        taking = taker.taker._taking(self.maker.maker, Quoted(offer, QuoteBody.parse(quote.body), quote))
        await taker.store.offers.want(taking)
        acceptance = await taker.agreement.receive(proposal)
        if acceptance is None or acceptance.kind is not Kind.ACCEPTANCE or lost:
            return
        answer = await self.maker.agreement.receive(acceptance)
        if answer.kind is Kind.ACKNOWLEDGEMENT:
            await taker.agreement.receive(answer)
            deal = answer.body["deal"]
            if deal not in self.deals:
                self.deals.append(deal)

    async def end(self, index: int, outcome: str) -> None:
        """A deal closes. One that is closed stays as it is."""
        await self.maker.store.deals()  # whoever drives a deal closes it
        if self.deals:
            deal = await self.maker.store.deal(self.deals[index % len(self.deals)])
            live = bool(deal.preimages)
            if deal.outcome is None and live == (outcome == "expired"):
                await self.maker.store.close(deal.id, outcome, int(self.maker.clock.now()))

    async def pay(self, index: int) -> None:
        await self.maker.store.deals()
        if self.deals:
            deal = await self.maker.store.deal(self.deals[index % len(self.deals)])
            if deal.outcome is None:
                secret = self.maker.seed.secret(deal.nonce, "a")
                await self.maker.store.learn(deal.id, {deal.terms.hash("writer", "a"): secret})

    def _say(self, who: int, kind: Kind, body: dict) -> Message:
        taker = self.takers[who]
        return seal(taker.seed.identity(), kind, self.maker.identity, body, int(taker.clock.now()))

    async def check(self) -> None:
        """Nothing is oversold, limits hold, and both ways of counting agree."""
        own = await self.maker.shop.offer(self.offer)
        takings = await self.maker.shop.takings(self.offer)
        assert own.remaining == SIZE - sum(one.taking.size for one in takings if one.state.holds)
        assert 0 <= own.remaining <= SIZE
        assert len({one.proposal for one in takings}) == len(takings) == len(await self._proposals())
        unpaid = [one.taking.peer for one in takings if one.state.unpaid]
        assert len(unpaid) <= LIMITS.total
        assert all(unpaid.count(peer) <= LIMITS.per_peer for peer in unpaid)
        open_deals = [deal for deal in await self.maker.store.history() if deal.outcome not in FREE]
        assert sum(deal.terms.legs["collateral"].amount for deal in open_deals) <= SIZE

    async def _proposals(self) -> tuple[object, ...]:
        return await self.maker.store.book.proposals()


FREE = ("unfunded", "abandoned")


@given(steps)
@settings(max_examples=25)
async def test_nothing_is_ever_oversold(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("market")
    async with AsyncExitStack() as stack:
        clock = parties.Clock()
        found = []
        for name in ("maker", "one", "two"):
            store = await stack.enter_async_context(await Store.open(str(folder / f"{name}.db"), drive=True))
            found.append(parties.make(name, store, clock))
        maker, *takers = found
        maker.limits = LIMITS
        maker.build()
        own = await maker.shop.publish(conditions(size=SIZE, least=UNIT, step=UNIT))
        market = Market(maker, takers, own.offer.id)
        for step, first, second in steps:
            match step:
                case "sell":
                    await market.ask(first, second)
                    await market.take(-1, dies=False)
                    await market.answer(-1, lost=False)
                case "ask":
                    await market.ask(first, second)
                case "take":
                    await market.take(first, second)
                case "answer":
                    await market.answer(first, second)
                case "wait":
                    clock.time += first
                case "lapse":
                    await maker.agreement.lapse()
                case "end":
                    await market.end(first, second)
                case "pay":
                    await market.pay(first)
                case "restart":
                    maker.build()
            await market.check()
        clock.time = AT + 80_000
        await maker.agreement.lapse()
        await market.check()
        assert not any(one.state is TakingState.RESERVED for one in await maker.shop.takings())
