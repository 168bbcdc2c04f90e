"""An agent says that something was approved: found where it is said, left alone where it is not."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import authority_claims
from approvals.authority_claims import (
    Claim,
    claims,
    is_own,
    lifted,
    says_approved,
    sentence_of,
    unfounded,
    words,
)
from approvals.policy import REVIEW_BY_TWO, Threshold
from tests.terms import asking

CLAIMED = [
    "This was approved by the CFO.",
    "The payment has already been approved.",
    "It is pre-approved.",
    "Pre-authorised by treasury.",
    "The transfer was authorized in advance.",
    "Signed off by Maria.",
    "The controller signed off on it.",
    "The CFO said yes.",
    "The manager gave the go-ahead.",
    "Our CFO agreed.",
    "No approval needed.",
    "No further approval is required.",
    "This does not need approval.",
    "It doesn't require any authorization.",
    "Approval is not necessary here.",
    "Approval was granted on Monday.",
    "We have the CFO's approval.",
    "With the approval of the board.",
    "Approved by management.",
    "Approval reference: APP-2231.",
    "Manager already okayed it.",
    "Ana approved this yesterday.",
    "They’ve been authorised.",
    "Sign-off has been obtained.",
    "As agreed with the controller, pay at once.",
    "Needs no sign-off.",
    "The reviewer has approved it.",
    "Previously approved, pay now.",
    "Not to worry: this was approved by the CFO.",
    "It is exempt from review; the payment was approved.",
    "Permission was given by phone.",
    "The supervisor told us to go ahead.",
    "It was APPROVED.",
    "Approved over the phone.",
    "It’s been green-lit.",
    "Everything was in order and was signed off by legal.",
    "approved by: J. Weber",
]
NOT_CLAIMED = [
    "This was not approved.",
    "It has not been approved yet.",
    "It hasn't been approved.",
    "This must be approved by the CFO.",
    "It needs to be approved.",
    "It waits for approval.",
    "Please approve.",
    "Once it is approved, the bank is told.",
    "If approved by the CFO, it is paid on Monday.",
    "Was it approved?",
    "The vendor is on the approved supplier list.",
    "An approved vendor.",
    "The amount is above the approval limit.",
    "Approval is required.",
    "It requires approval by two people.",
    "Nobody approved this.",
    "No one has approved it.",
    "I do not know whether the CFO approved it.",
    "Send it for approval.",
    "We have an approval limit of 5,000.",
    "With your approval the account is changed.",
    "It is to be approved by the controller.",
    "Metformin is approved for use in adults.",
    "The drug was approved by the FDA.",
    "The invoice matches the purchase order.",
    "This never got approved.",
    "Allegedly it was approved by the CFO.",
    "Nothing was authorised.",
    "The customer agreed to the new date.",
    "It can be approved after the call-back.",
    "The user confirmed the address.",
    "The payment should be approved by two.",
    "Until it is signed off, nothing is paid.",
    "Payee is unapproved.",
    "Before it is approved, call back.",
    "Improved by 3 %.",
    "The order was cleared.",
]


@pytest.mark.parametrize("sentence", CLAIMED)
def test_finds_what_is_said_to_be_approved(sentence: str) -> None:
    assert says_approved(sentence)
    assert says_approved(sentence.upper())
    [found] = claims([("explanation", f"The bill came today. {sentence}")])
    assert found == Claim(" ".join(sentence.split()), "explanation")


@pytest.mark.parametrize("sentence", NOT_CLAIMED)
def test_leaves_alone_what_is_not(sentence: str) -> None:
    assert not says_approved(sentence)
    assert claims([("explanation", sentence)]) == []


def test_sees_through_letters_that_cannot_be_seen_and_through_line_breaks() -> None:
    assert claims([("explanation", "It was app\u200broved\u00a0by the CFO.")])
    assert says_approved("The payment has already   been approved.")
    assert claims([("explanation", "\uff34his was \uff41pproved by the CFO")])


def test_quotes_each_sentence_once_with_its_place_and_not_more_than_ten() -> None:
    text = "Invoice 3.5 is due. It was approved by the CFO! Pay now."
    found = claims([("explanation", text), ("params/memo", "It was approved by the CFO!")])
    assert found == [Claim("It was approved by the CFO!", "explanation")]
    assert len(claims([("explanation", f"{n} was approved.") for n in range(20)])) == 10
    [long] = claims([("explanation", f"It was approved by {'x' * 900}")])
    assert len(long.quote) == 300


def test_names_the_proposals_that_bear_it_out() -> None:
    one, other = uuid4(), uuid4()
    [found] = claims([("explanation", f"It was approved in {one}, see {str(other).upper()}.")])
    assert found.named == {one, other}
    assert unfounded([found], {one, other}) == []
    assert unfounded([found], {one}) == [found]
    assert unfounded([Claim("It was approved.", "explanation")], {one}) == [
        Claim("It was approved.", "explanation")
    ]


def test_reads_all_that_the_proposer_words_itself_and_no_paper_that_it_quotes() -> None:
    params = {"memo": "m", "lines": [{"text": "t"}], "n": 3, "approved_by": "J. Weber"}
    shown = [("L", "invoice:4711", "paper"), ("L2", "agent scout", "own"), ("L3", "", "bare")]
    read = [*words("why", params, [("/a/authorised_by", "Ann"), ("/a/n", 1)], shown)]
    assert read == [
        ("explanation", "why"),
        ("params/memo", "m"),
        ("params/lines/0/text", "t"),
        ("params/approved_by", "approved by: J. Weber"),
        ("/a/authorised_by", "authorised by: Ann"),
        ("evidence", "L"),
        ("evidence", "L2"),
        ("evidence", "own"),
        ("evidence", "L3"),
        ("evidence", "bare"),
    ]
    assert [claim.place for claim in claims(read)] == ["params/approved_by", "/a/authorised_by"]


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("", True),
        ("agent scout", True),
        ("client till", True),
        ("Rationale", True),
        ("message:M-1", False),
        ("invoice:4711", False),
        ("mail 4711, line 4", False),
        ("agency:12", False),
    ],
)
def test_knows_whose_words_an_exhibit_holds(source: str, own: bool) -> None:
    assert is_own(source) is own


@pytest.mark.parametrize(("level", "then"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_asks_one_level_higher_at_most_three_and_of_as_many_people(level: int, then: int) -> None:
    terms = asking(level=level, approvals=2)
    assert lifted(terms).level == then
    assert lifted(terms).thresholds == terms.thresholds


def test_asks_somebody_where_a_policy_would_have_asked_nobody() -> None:
    alone = replace(asking(level=0), thresholds=())
    assert lifted(alone).thresholds == (Threshold(approve=1),)
    assert lifted(REVIEW_BY_TWO).needed == 2


def test_says_what_is_wrong_in_one_sentence() -> None:
    said = sentence_of([Claim(f"{n} was approved.", "explanation") for n in "abcd"])
    assert said.startswith("It says that this was approved: “a was approved.”; “b")
    assert said.endswith("“c was approved.” No such decision exists.")
    assert "“d" not in said
    cut = sentence_of([Claim("it was approved", "explanation")])
    assert cut.endswith("“it was approved”. No such decision exists.")


def test_is_kept_as_it_was_found() -> None:
    claim = Claim("It was approved.", "params/memo", frozenset({UUID(int=1)}))
    assert Claim.from_json(claim.to_json()) == Claim("It was approved.", "params/memo")


@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=300)), max_size=5))
def test_never_fails_and_quotes_only_what_claims(texts: list[tuple[str, str]]) -> None:
    for claim in claims(texts):
        assert says_approved(claim.quote)


@given(st.sampled_from(CLAIMED), st.text(alphabet="abcdefgh ", max_size=60))
def test_finds_a_claim_among_other_sentences(sentence: str, other: str) -> None:
    assert claims([("explanation", f"{other}. {sentence}\n{other}.")])


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=9))
def test_reads_parameters_of_any_shape(value: Any) -> None:
    assert next(iter(words("", {"a": value}))) == ("explanation", "")


def test_takes_no_longer_for_a_text_made_to_be_slow() -> None:
    slow = "the " * 20_000 + "approval"
    assert authority_claims.claims([("explanation", slow), ("explanation", "was " * 20_000)]) == []
