"""A maker that sells parts of one offer, as fast as it can. Says each quote once it is sold, and that it is sold
out in the end. Its process is killed meanwhile: see test_a_killed_shop.py."""

from __future__ import annotations

import sys
from itertools import count

from settlement.bodies import RefusalBody
from settlement.limits import Limits
from settlement.messages import Kind, seal
from settlement.quotes import AskBody, TakeBody
from settlement.seed import Identity
from settlement.store import Store
from tests.settlement import parties
from tests.settlement.samples import AT

UNIT = 10**6
PARTS = 30
TAKER = Identity(b"\x09" * 32)
OPEN = Limits(per_peer=10**6, total=10**6)
SOLD, OUT = "sold ", "sold out"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def sell_everything(database: str) -> None:
    async with await Store.open(database, drive=True) as store:
        maker = parties.make("maker", store, parties.Clock())
        maker.limits = OPEN
        maker.build()
        known = await maker.shop.own()
        wanted = parties.conditions(size=PARTS * UNIT, least=UNIT, step=UNIT)
        own = known[0] if known else await maker.shop.publish(wanted)
        for number in count(len(await maker.shop.takings(limit=10**6))):
            ask = AskBody(own.offer.id, UNIT, f"{number:032x}").to_json()
            quote = await maker.shop.receive(seal(TAKER, Kind.ASK, maker.identity, ask, AT))
            if quote.kind is Kind.REFUSAL:
                say(OUT if RefusalBody.parse(quote.body).code == "SoldOut" else quote.text)
                return
            take = TakeBody(quote.text, "").to_json()
            answer = await maker.shop.receive(seal(TAKER, Kind.TAKE, maker.identity, take, AT))
            assert answer.kind is Kind.PROPOSAL, answer.text
            say(SOLD + quote.id)
