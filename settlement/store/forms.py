"""How values are written into the database: JSON with the name and version of its form ("guards/1").

A form that was ever released is read for ever: a changed value gets a new version and both readers stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, assert_never

from chains.errors import StrikelockError
from chains.port import TxPhase, TxState
from htlc.protocols.base import ChainGuard, Guards, Will
from htlc.terms import Terms, canonical, parse_terms
from settlement.proposal import Accepted, Agreed, Lapsed, Offered, Received, Refused, Stage
from settlement.store.errors import DamagedRecord

T = TypeVar("T")


def dump_terms(terms: Terms) -> str:
    return _dump("terms/1", {"terms": terms.to_json()})


def load_terms(stored: str) -> Terms:
    return _load(stored, {"terms/1": lambda body: parse_terms(body["terms"])})


def dump_guards(guards: Guards) -> str:
    return _dump("guards/1", _guards_body(guards))


def _guards_body(guards: Guards) -> dict[str, Any]:
    chains = {
        name: {
            "include": guard.include,
            "reorg": guard.reorg,
            "depth": guard.depth,
            "lead": guard.lead,
            "lag": guard.lag,
        }
        for name, guard in guards.chains.items()
    }
    return {"outage": guards.outage, "chains": chains, "joint": dict(guards.joint)}


def load_guards(stored: str) -> Guards:
    return _load(stored, {"guards/1": _guards_1})


def _guards_1(body: Mapping[str, Any]) -> Guards:
    chains = {
        name: ChainGuard(
            include=guard["include"],
            reorg=guard["reorg"],
            depth=guard["depth"],
            lead=guard["lead"],
            lag=guard["lag"],
        )
        for name, guard in body["chains"].items()
    }
    return Guards(chains=chains, outage=body["outage"], joint=dict(body["joint"]))


def dump_will(will: Will) -> str:
    return _dump("will/1", {"exercise": will.exercise, "let_go": will.let_go, "stop": will.stop})


def load_will(stored: str) -> Will:
    return _load(stored, {"will/1": _will_1})


def _will_1(body: Mapping[str, Any]) -> Will:
    return Will(exercise=body["exercise"], let_go=body["let_go"], stop=body["stop"])


def dump_since(since: Mapping[str, int]) -> str:
    return _dump("since/1", {"heights": dict(since)})


def load_since(stored: str) -> Mapping[str, int]:
    return _load(stored, {"since/1": lambda body: dict(body["heights"])})


def dump_claims(claims: tuple[str, ...]) -> str:
    return _dump("claims/1", {"claims": list(claims)})


def load_claims(stored: str) -> tuple[str, ...]:
    return _load(stored, {"claims/1": lambda body: tuple(body["claims"])})


def dump_tx_state(state: TxState) -> str:
    body = {
        "phase": state.phase.value,
        "depth": state.depth,
        "succeeded": state.succeeded,
        "fee": str(state.fee),  # wei: as text, like every amount
        "size": state.size,
    }
    return _dump("tx-state/1", body)


def load_tx_state(stored: str) -> TxState:
    return _load(stored, {"tx-state/1": _tx_state_1})


def _tx_state_1(body: Mapping[str, Any]) -> TxState:
    return TxState(
        phase=TxPhase(body["phase"]),
        depth=body["depth"],
        succeeded=body["succeeded"],
        fee=int(body["fee"]),
        size=body["size"],
    )


def dump_spans(spans: tuple[tuple[int, int], ...]) -> str:
    return _dump("spans/1", {"spans": [list(span) for span in spans]})


def load_spans(stored: str) -> tuple[tuple[int, int], ...]:
    return _load(stored, {"spans/1": lambda body: tuple((int(low), int(high)) for low, high in body["spans"])})


def dump_stage(stage: Stage) -> str:
    match stage:
        case Offered(guards, since):
            return _dump("offered/1", {"guards": _guards_body(guards), "since": dict(since)})
        case Received():
            return _dump("received/1", {})
        case Accepted(answer, deal, guards, since):
            body = {"answer": answer, "deal": deal, "guards": _guards_body(guards), "since": dict(since)}
            return _dump("accepted/1", body)
        case Agreed(answer, acknowledgement, deal):
            return _dump("agreed/1", {"answer": answer, "acknowledgement": acknowledgement, "deal": deal})
        case Refused(code, reason, answer):
            return _dump("refused/1", {"code": code, "reason": reason, "answer": answer})
        case Lapsed(reason):
            return _dump("lapsed/1", {"reason": reason})
        case _:
            assert_never(stage)


def load_stage(stored: str) -> Stage:
    return _load(stored, _STAGES)


_STAGES: Mapping[str, Callable[[Mapping[str, Any]], Stage]] = {
    "offered/1": lambda body: Offered(_guards_1(body["guards"]), dict(body["since"])),
    "received/1": lambda body: Received(),
    "accepted/1": lambda body: Accepted(
        body["answer"], body["deal"], _guards_1(body["guards"]), dict(body["since"])
    ),
    "agreed/1": lambda body: Agreed(body["answer"], body["acknowledgement"], body["deal"]),
    "refused/1": lambda body: Refused(body["code"], body["reason"], body["answer"]),
    "lapsed/1": lambda body: Lapsed(body["reason"]),
}


def _dump(form: str, body: Mapping[str, Any]) -> str:
    return canonical({"form": form, **body}).decode()


def _load(stored: str, readers: Mapping[str, Callable[[Mapping[str, Any]], T]]) -> T:
    """Read with the reader of the form's version. Raises DamagedRecord."""
    name = next(iter(readers))
    try:
        body = json.loads(stored)
        name = body["form"]
        return readers[name](body)
    except (ValueError, KeyError, TypeError, AttributeError, StrikelockError) as error:
        raise DamagedRecord(str(name), f"it can't be read ({error!r})") from error
