"""What counts as a loss, read off the world at the end and off nothing that a plan says."""

from __future__ import annotations

from htlc.explorer.model import EXERCISE, FUNDED, SPENT, Model, State


def loss(model: Model, state: State) -> str | None:
    """Why the honest party lost money, or None."""
    paths = taken(model, state)
    if "x" in paths:
        return _SWAP[model.role](paths)
    return (_ATTESTED if model.protocol.attested else _OPTION)[model.role](model, state, paths)


def taken(model: Model, state: State) -> dict[str, str]:
    """The path by which each leg was spent, "" where it was not."""
    return {
        name: model.paths[i][leg.path].name if leg.status == SPENT else ""
        for i, (name, leg) in enumerate(zip(model.names, state.legs, strict=True))
    }


def decided(model: Model, state: State) -> bool:
    """Every leg was spent, and no reorganisation can change that."""
    return all(
        leg.status == SPENT and leg.spent > pace.reorg for leg, pace in zip(state.legs, model.pace_of, strict=True)
    )


def stuck(model: Model, state: State) -> str | None:
    """Liveness: at the end nothing of ours stands anywhere, and the deal is closed."""
    for i, leg in enumerate(state.legs):
        if model.ours[i] and leg.status == FUNDED:
            return f"our money is still in {model.names[i]}"
    return None if state.closed else "the deal is not closed"


def _initiator(taken: dict[str, str]) -> str | None:
    return "x was claimed and y was not" if taken["x"] == "claim" and taken["y"] != "claim" else None


def _participant(taken: dict[str, str]) -> str | None:
    return "y was claimed and x was not" if taken["y"] == "claim" and taken["x"] != "claim" else None


def _writer(model: Model, state: State, taken: dict[str, str]) -> str | None:
    if taken["collateral"] == "exercise" and taken["strike"] != "exercise":
        return "the collateral was taken and the strike was not paid"
    shown = state.public & 1 << model.hashes.index(model.terms.hash("writer", "a"))
    if shown and taken["premium"] != "activate":
        return "the option was given away: a is public and the premium was not paid"
    return None


def _holder(model: Model, state: State, taken: dict[str, str]) -> str | None:
    if taken["strike"] == "exercise" and taken["collateral"] != "exercise":
        return "the strike was taken and the collateral was not delivered"
    if taken["premium"] != "activate" or taken["collateral"] == "exercise":
        return None
    if state.early and taken["collateral"] == "release":
        return "the premium was taken for an option that was let go before"
    wanted = model.will & EXERCISE and not model.whims
    return "the premium was taken and the option could not be used" if wanted else None


def _attested_holder(model: Model, state: State, taken: dict[str, str]) -> str | None:
    """As before, but that a quorum which is not bound to answer may cost the holder the use of the option."""
    if taken["strike"] == "exercise" and taken["collateral"] != "exercise":
        return "the strike was taken and the collateral was not delivered"
    lapsed = taken["premium"] == "activate" and taken["collateral"] != "exercise"
    wanted = model.will & EXERCISE and not model.whims and model.timely
    return "the premium was taken and the option could not be used" if lapsed and wanted else None


def _attested_writer(model: Model, state: State, taken: dict[str, str]) -> str | None:
    if taken["collateral"] == "exercise" and taken["premium"] != "activate":
        return "the option was used and the premium was not paid"
    return _writer(model, state, taken)


_ATTESTED = {"writer": _attested_writer, "holder": _attested_holder}
_SWAP = {"initiator": _initiator, "participant": _participant}
_OPTION = {"writer": _writer, "holder": _holder}
