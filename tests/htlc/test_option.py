"""The covered option, rule by rule, each at its edge."""

from __future__ import annotations

import pytest

from chains.port import LegFacts, Spend
from htlc.errors import MalformedTerms
from htlc.protocols.base import Close, Facts, Flight, Fund, GiveConsent, Now, SpendLeg, Swear, Unfund, Vow, Will
from htlc.protocols.option import OPTION
from tests.htlc.deals import (
    AMOUNTS,
    DEPTH,
    GUARDS,
    OPTION_TERMS,
    REACH,
    SECRETS,
    SHOW,
    funded,
    make_terms,
    plan,
    spent,
    stance,
)

W, B = "writer", "holder"
TP, TE, TC, TS = (OPTION_TERMS.times[name] for name in ("premium", "expiry", "collateral", "strike"))
A, E = SECRETS["a"], SECRETS["e"]
ALL = {"collateral": funded("collateral"), "premium": funded("premium"), "strike": funded("strike")}
LIVE = ALL | {"premium": spent("premium", "activate", "a")}
WRITER_DONE = {"collateral": Flight.DONE}
HOLDER_DONE = {"premium": Flight.DONE, "strike": Flight.DONE}
USE, LET_GO, STOP = Will(exercise=True), Will(let_go=True), Will(stop=True)
STRIKE_RELEASE, COLLATERAL_RELEASE = ("strike", "release"), ("collateral", "release")


def writer(legs, *vows, **how):
    return plan(OPTION_TERMS, W, legs, *vows, **({"fundings": WRITER_DONE} | how))


def holder(legs, *vows, **how):
    return plan(OPTION_TERMS, B, legs, *vows, **({"fundings": HOLDER_DONE} | how))


def spends(actions):
    return [(a.leg, a.path, a.preimages, a.reveals) for a in actions if isinstance(a, SpendLeg)]


# --- the legs are those of the design --------------------------------------------------------------------


def test_paths_come_in_their_fixed_order_and_pay_whom_they_should() -> None:
    legs = OPTION.legs(OPTION_TERMS)
    assert [[p.name for p in leg.paths] for leg in legs.values()] == [
        ["exercise", "refund", "release"],
        ["activate", "refund"],
        ["exercise", "refund", "release"],
    ]
    hashes = {label: OPTION_TERMS.hash(role, label) for role, label in ((W, "a"), (B, "e"))}
    assert legs["collateral"].path("exercise").hashes == (hashes["a"], hashes["e"])
    assert legs["premium"].path("activate").hashes == (hashes["a"],)
    assert legs["strike"].path("exercise").hashes == (hashes["e"],)
    assert [leg.path("refund").after for leg in legs.values()] == [TC, TP, TS]


def test_no_key_occurs_twice_in_a_leg_but_the_refunds_in_its_release() -> None:
    for leg in OPTION.legs(OPTION_TERMS).values():
        used = [path.to for path in leg.paths if path.name != "release"]
        used += [signer for path in leg.paths for signer in path.signers]
        assert len(set(used)) == len(used)
        if leg.paths[-1].name == "release":
            assert leg.path("release").to == leg.path("refund").to


def test_releases_are_left_out_where_the_terms_say_so() -> None:
    legs = OPTION.legs(make_terms("option", releases="no"))
    assert [len(leg.paths) for leg in legs.values()] == [2, 2, 2]


def test_a_put_is_the_same_protocol() -> None:
    put = make_terms("option", kind="put")
    assert [leg.paths for leg in OPTION.legs(put).values()] == [
        leg.paths for leg in OPTION.legs(OPTION_TERMS).values()
    ]


# --- the writer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["collateral", "premium", "strike"])
def test_a_is_shown_only_when_every_leg_is_final(missing) -> None:
    assert spends(writer(ALL)) == [("premium", "activate", (A,), True)]
    assert spends(writer(ALL | {missing: funded(missing, DEPTH - 1)})) == []
    assert spends(writer({leg: facts for leg, facts in ALL.items() if leg != missing})) == []


def test_a_is_shown_only_with_time_left() -> None:
    assert spends(writer(ALL, now=TP - SHOW)) == [("premium", "activate", (A,), True)]
    assert spends(writer(ALL, now=TP - SHOW + 1)) == []


@pytest.mark.parametrize("how", [{"will": STOP}, {"will": LET_GO}, {"limited": True}])
def test_a_is_not_shown_by_who_wants_out_or_was_restored(how) -> None:
    assert spends(writer(ALL, **how)) == []


def test_a_stays_secret_after_the_vow() -> None:
    assert spends(writer(ALL, Vow.NEVER_REVEAL)) == []


def test_the_writer_takes_the_strike_with_e_however_late() -> None:
    used = LIVE | {"collateral": spent("collateral", "exercise", "a", "e", depth=0, held=100_000)}
    assert ("strike", "exercise", (E,), False) in spends(writer(used, now=TS + 9999))


def test_the_refund_of_the_collateral_leaves_time_to_take_the_strike() -> None:
    found = writer(LIVE, now=TC + 1)
    assert spends(found) == [("collateral", "refund", (), False)]
    assert found[0].deadline == TS - REACH - 1000 - 200
    assert writer(ALL, now=TC + 1)[0].deadline is None  # a was never shown


def test_the_writer_signs_the_strikes_release_only_when_nobody_can_exercise() -> None:
    assert writer(ALL, will=LET_GO) == (Swear(Vow.NEVER_REVEAL),)
    assert writer(ALL, Vow.NEVER_REVEAL, will=LET_GO) == (GiveConsent(*STRIKE_RELEASE),)
    assert writer(LIVE, will=LET_GO) == ()
    shallow = LIVE | {"collateral": spent("collateral", "refund", depth=DEPTH - 1)}
    assert writer(shallow, will=LET_GO) == ()
    back = LIVE | {"collateral": spent("collateral", "refund")}
    assert writer(back, will=LET_GO) == (GiveConsent(*STRIKE_RELEASE),)
    assert writer(LIVE | {"collateral": spent("collateral", "exercise", "a", "e")}, will=LET_GO) != back


def test_no_vow_of_silence_on_a_secret_that_may_have_left_the_machine() -> None:
    exposed = frozenset({OPTION_TERMS.hash(W, "a")})
    assert not any(isinstance(one, Swear) for one in writer(ALL, will=LET_GO, exposed=exposed))


def test_what_may_be_out_is_shown_again_whatever_we_want_by_then() -> None:
    """A transaction of ours shows it, and a node may have lost it while we were away."""
    a, e = (frozenset({OPTION_TERMS.hash(role, label)}) for role, label in ((W, "a"), (B, "e")))
    taken = {**ALL, "strike": spent("strike", "refund")}
    for legs, will in ((ALL, STOP), (ALL, LET_GO), (taken, Will())):
        for late, shown in ((0, True), (1, False)):
            found = writer(legs, will=will, exposed=a, now=TP - REACH + late)
            assert spends(found) == ([("premium", "activate", (A,), True)] if shown else [])
    for late, shown in ((0, True), (1, False)):
        found = holder(LIVE, exposed=e, now=TC - REACH + late)  # long after expiry, and the wish was taken back
        assert spends(found) == ([("collateral", "exercise", (A, E), True)] if shown else [])
    assert spends(writer(ALL, limited=True, exposed=a)) == []
    assert spends(writer({**ALL, "premium": LegFacts()}, exposed=a)) == []


def test_a_release_is_signed_once_and_the_deal_stays_open_for_it() -> None:
    back = LIVE | {"collateral": spent("collateral", "refund")}
    given = frozenset({STRIKE_RELEASE})
    assert writer(back, will=LET_GO, consents_given=given) == ()
    assert writer(back, now=TS + 1, will=LET_GO, consents_given=given) == (Close("expired"),)


# --- the holder ------------------------------------------------------------------------------------------


def test_the_holder_funds_both_legs_against_a_final_collateral() -> None:
    found = holder({"collateral": funded("collateral")}, fundings={})
    assert [(type(a), a.leg) for a in found] == [(Fund, "premium"), (Fund, "strike")]
    assert holder({"collateral": funded("collateral", DEPTH - 1)}, fundings={}) == ()


def test_fundings_of_an_option_that_is_over_are_taken_back() -> None:
    one_open = {"premium": Flight.DONE, "strike": Flight.OPEN}
    early = {"collateral": funded("collateral"), "premium": spent("premium", "activate", "a")}
    assert holder(early, fundings=one_open) == (Unfund("strike"),)
    assert Unfund("strike") in holder({"premium": funded("premium")}, fundings=one_open)


@pytest.mark.parametrize(("how", "shows"), [
    ({}, True),
    ({"now": TE}, True),
    ({"now": TE + 1}, False),
    ({"will": Will()}, False),
    ({"will": Will(exercise=True, stop=True)}, False),
    ({"will": Will(exercise=True, let_go=True)}, False),
    ({"limited": True}, False),
    ({"consents_given": frozenset({COLLATERAL_RELEASE})}, False),
])  # fmt: skip
def test_the_holder_exercises_by_wish_while_the_option_lives(how, shows) -> None:
    found = holder(LIVE, **({"will": USE} | how))
    assert (("collateral", "exercise", (A, E), True) in spends(found)) == shows


def test_the_holder_does_not_exercise_what_is_not_live_or_not_final() -> None:
    assert spends(holder(ALL, will=USE)) == []
    assert spends(holder(LIVE | {"collateral": funded("collateral", DEPTH - 1)}, will=USE)) == []
    assert spends(holder(LIVE, Vow.NEVER_REVEAL, will=USE)) == []


def test_once_e_is_public_the_holder_takes_the_collateral_however_late() -> None:
    legs = LIVE | {"strike": spent("strike", "exercise", "e")}
    found = holder(legs, now=TC + 9999, limited=True)
    assert ("collateral", "exercise", (A, E), False) in spends(found)


def test_the_holder_signs_the_collaterals_release_only_when_the_premium_is_gone_or_never_comes() -> None:
    assert holder(LIVE, will=LET_GO) == (Swear(Vow.NEVER_REVEAL),)
    assert holder(LIVE, Vow.NEVER_REVEAL, will=LET_GO) == (GiveConsent(*COLLATERAL_RELEASE),)
    assert holder(ALL, will=LET_GO) == ()
    shallow = LIVE | {"premium": spent("premium", "refund", depth=DEPTH - 1)}
    assert holder(shallow, will=LET_GO) == ()
    only = {"collateral": funded("collateral")}
    assert holder(only, will=LET_GO, fundings={}) == (Swear(Vow.NEVER_FUND),)
    assert holder(only, Vow.NEVER_FUND, will=LET_GO, fundings={}) == (Swear(Vow.NEVER_REVEAL),)
    both = (Vow.NEVER_FUND, Vow.NEVER_REVEAL)
    assert holder(only, *both, will=LET_GO, fundings={}) == (GiveConsent(*COLLATERAL_RELEASE),)
    in_flight = {"premium": Flight.OPEN, "strike": Flight.NONE}
    assert holder(only, will=LET_GO, fundings=in_flight) == (Unfund("premium"),)


def test_the_holder_takes_its_strike_back_by_release_or_by_time() -> None:
    held = {"consents_held": frozenset({STRIKE_RELEASE})}
    over = LIVE | {"collateral": spent("collateral", "refund")}
    assert spends(holder(over, **held)) == [("strike", "release", (), False)]
    assert spends(holder(over, now=TS + 1, **held)) == [("strike", "refund", (), False)]
    on_its_way = over | {"strike": spent("strike", "release", depth=0, held=AMOUNTS["strike"])}
    assert spends(holder(on_its_way, now=TS + 1, **held)) == [("strike", "release", (), False)]


def test_an_option_that_lives_is_not_closed_before_expiry() -> None:
    """The writer activated without a strike: the holder may still use what it paid for."""
    legs = {"collateral": funded("collateral"), "premium": spent("premium", "activate", "a")}
    flights = {"premium": Flight.DONE, "strike": Flight.CANCELLED}
    assert holder(legs, now=TE, fundings=flights) == ()
    assert holder(legs, now=TE + 1, fundings=flights) == (Close("expired"),)


# --- terms and ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("legs", "outcome"), [
    ({}, None),
    (ALL, None),
    (LIVE, None),
    ({"collateral": spent("collateral", "refund")}, "abandoned"),
    ({"collateral": spent("collateral", "refund"), "premium": spent("premium", "refund"),
      "strike": spent("strike", "refund")}, "abandoned"),
    ({"collateral": spent("collateral", "refund"), "premium": spent("premium", "activate", "a"),
      "strike": spent("strike", "refund")}, "expired"),
    ({"collateral": spent("collateral", "release"), "premium": spent("premium", "activate", "a"),
      "strike": spent("strike", "release")}, "expired"),
    ({"collateral": spent("collateral", "exercise", "a", "e"), "premium": spent("premium", "activate", "a"),
      "strike": spent("strike", "exercise", "e")}, "exercised"),
    ({"collateral": spent("collateral", "exercise", "a", "e"), "premium": spent("premium", "activate", "a"),
      "strike": spent("strike", "refund")}, "forfeited"),
    ({"collateral": spent("collateral", "refund"), "premium": spent("premium", "activate", "a"),
      "strike": spent("strike", "exercise", "e")}, "forfeited"),
])  # fmt: skip
def test_the_outcome_is_what_the_chains_say(legs, outcome) -> None:
    assert OPTION.outcome(OPTION_TERMS, OPTION.derive(OPTION_TERMS, Facts(legs))) == outcome


def change(**parts):
    from dataclasses import replace

    return replace(OPTION_TERMS, **parts)


PARTIES = OPTION_TERMS.parties


@pytest.mark.parametrize(("terms", "field"), [
    (change(protocol="swap"), "protocol"),
    (change(times={**OPTION_TERMS.times, "strike": TC}), "times.strike"),
    (change(times={**OPTION_TERMS.times, "expiry": TC}), "times.collateral"),
    (change(times={k: v for k, v in OPTION_TERMS.times.items() if k != "expiry"}), "times.expiry"),
    (change(options={"kind": "straddle", "releases": "yes"}), "options.kind"),
    (change(options={"kind": "call"}), "options.releases"),
    (change(options={"kind": "call", "releases": "yes", "x": "y"}), "options.x"),
    (change(networks={**OPTION_TERMS.networks, "litecoin": "x"}), "networks.litecoin"),
    (change(legs={**OPTION_TERMS.legs, "x": OPTION_TERMS.legs["strike"]}), "legs.x"),
    (change(legs={**OPTION_TERMS.legs, "premium": OPTION_TERMS.legs["collateral"]}), "legs.premium.chain"),
    (change(parties={W: PARTIES[W]}), "parties.holder"),
    (change(parties={W: PARTIES[W], B: PARTIES[W]}), "parties.holder.hashes.e"),
])  # fmt: skip
def test_terms_that_are_not_exactly_an_options_are_refused(terms, field) -> None:
    with pytest.raises(MalformedTerms) as caught:
        OPTION.validate(terms)
    assert caught.value.field == field


@pytest.mark.parametrize("part", ["nonce", "identity", "hashes"])
def test_parties_must_differ_in_everything_that_identifies(part) -> None:
    from dataclasses import replace

    value = {"e": PARTIES[W].hashes["a"]} if part == "hashes" else getattr(PARTIES[W], part)
    with pytest.raises(MalformedTerms):
        OPTION.validate(change(parties={W: PARTIES[W], B: replace(PARTIES[B], **{part: value})}))


def test_good_terms_are_accepted() -> None:
    OPTION.validate(OPTION_TERMS)


# --- what only a wrong rule would do ---------------------------------------------------------------------


def test_guards_are_kept_at_the_latest_time_it_may_be() -> None:
    edge = TP - SHOW
    view = OPTION.derive(OPTION_TERMS, Facts(ALL, {}, WRITER_DONE))
    clocks = dict.fromkeys(OPTION_TERMS.networks, edge)
    for latest, shown in ((edge, True), (edge + 1, False)):
        now = Now(edge - 600, latest, clocks)
        found = OPTION.plan(OPTION_TERMS, view, stance(OPTION_TERMS, W), now, GUARDS)
        assert bool(spends(found)) == shown


def test_after_the_vow_nothing_is_funded_and_what_is_on_its_way_is_taken_back() -> None:
    only = {"collateral": funded("collateral")}
    assert holder(only, Vow.NEVER_FUND, fundings={}) == (Close("abandoned"),)
    in_flight = {"premium": Flight.OPEN, "strike": Flight.DONE}
    assert Unfund("premium") in holder(only, Vow.NEVER_FUND, fundings=in_flight)


def test_a_leg_that_was_full_and_is_not_any_more_is_not_funded() -> None:
    """Deposits add up to the amount, but a part of them has left."""
    thin = ALL | {"strike": LegFacts(full=9, held=AMOUNTS["strike"] - 1)}
    assert spends(writer(thin)) == []


def test_a_late_spend_that_is_not_final_keeps_the_deal_open() -> None:
    first = Spend("aa", "refund", AMOUNTS["collateral"], (), 20)
    for depth, actions in ((DEPTH - 1, ()), (DEPTH, (Close("expired"),))):
        late = Spend("bb", "refund", AMOUNTS["collateral"], (), depth)
        legs = LIVE | {"collateral": LegFacts(30, 0, (first, late))}
        assert writer(legs, now=TC + 1) == actions


def test_no_release_of_the_collateral_while_anything_stands_at_the_premium() -> None:
    part = {"collateral": funded("collateral"), "premium": LegFacts(held=1)}
    both = (Vow.NEVER_FUND, Vow.NEVER_REVEAL)
    assert holder(part, *both, will=LET_GO, fundings={}) == ()


def test_a_holder_whose_strike_still_stands_does_not_close() -> None:
    assert holder(LIVE, now=TE + 1) == ()
    back = LIVE | {"strike": spent("strike", "refund")}
    assert holder(back, now=TS + 1) == (Close("expired"),)
