"""Every course of a swap and of an option: safe as they stand, lost with any guard relaxed or removed."""

from __future__ import annotations

import pytest

from htlc.explorer.suite import Answer, Question, answer, questions, report

SMALL = [question for question in questions() if not question.large]


@pytest.mark.parametrize("question", SMALL, ids=lambda question: question.name)
def test_the_explorer_answers_as_the_design_says(question: Question) -> None:
    found = answer(question)
    course = found.result.finding.course if found.result.finding else ()
    assert found.right, "\n".join((question.name, *course))
    assert found.result.states > 500


def test_enough_is_relaxed_and_planted_to_mean_something() -> None:
    assert sum(not question.safe for question in SMALL) >= 25
    assert sum(question.name.startswith("fault") for question in SMALL) >= 15


@pytest.mark.parametrize(("name", "ends"), [
    ("swap, initiator, late clocks", {("claim", "claim"), ("refund", "refund"), ("refund", "claim")}),
    ("swap, participant, late clocks", {("claim", "claim"), ("refund", "refund"), ("claim", "refund")}),
    ("option, writer", {("exercise", "activate", "exercise"), ("refund", "activate", "refund"),
                        ("refund", "refund", "refund"), ("refund", "", "")}),
    ("option, holder who may", {("exercise", "activate", "exercise"), ("refund", "activate", "refund"),
                                ("refund", "refund", "refund"), ("exercise", "activate", "")}),
])  # fmt: skip
def test_every_end_is_really_reached(name, ends) -> None:
    """A world in which nothing happens would be safe too."""
    found = answer(next(question for question in SMALL if question.name == name))
    assert ends <= found.result.ends


def test_a_loss_comes_with_its_course() -> None:
    question = next(q for q in SMALL if q.name == "swap: Tx a tick early")
    found = answer(question)
    assert found.result.finding is not None
    assert found.result.finding.reason == "y was claimed and x was not"
    course = found.result.finding.course
    assert any("a reorganisation undoes refund of y" in line for line in course)
    assert [int(line.split(":")[0]) for line in course] == sorted(int(line.split(":")[0]) for line in course)


def test_the_same_model_gives_the_same_number_of_states() -> None:
    first, second = answer(SMALL[0]), answer(SMALL[0])
    assert first.result.states == second.result.states
    summary = report([first])
    assert summary["states"] == first.result.states
    assert summary["failures"] == []


def test_a_wrong_answer_is_a_failure() -> None:
    safe = SMALL[0]
    wrong = Question(safe.name, safe.model, not safe.safe)
    found = Answer(wrong, answer(safe).result, 0.0)
    assert report([found])["failures"] == [safe.name]
