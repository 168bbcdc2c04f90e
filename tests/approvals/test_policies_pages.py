"""The pages of policies, as the cast sees them, and the form in which a change is put."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import queries, starters
from approvals.models import Proposal
from approvals.policy import Choice, Limit, Threshold
from approvals.rulebook import Rule
from approvals.rulecheck import checked
from approvals.showing.drafting import Form, read, written
from console.access.operations.granting import found, grant
from console.actors import system
from tests.house import House
from tests.terms import asking, matching, set_rules

ROLES = {"ana": "reviewer", "ada": "admin", "amir": "admin", "cleo": "auditor", "eve": "engineer"}
WHOLE = Rule(
    'action == "pay"\n  && amount > 5000.5',
    asking(
        "Payments",
        level=2,
        approvals=2,
        denials=3,
        filter='reviewer.email != "x"',
        expires_seconds=5_400,
        hold_seconds=10,
        then="escalate",
        escalate_to=(Threshold(1, 2, ("admin",)),),
        escalate_seconds=7_200,
        sample=0.125,
        limits=(
            Limit(("counterparty", "agent"), "30000.00", "EUR", 86_400, "deny"),
            Limit(("subject",), "9.00", "USD", 3_600, "raise", 3, (Threshold(2), Threshold(3))),
        ),
    ),
    note="As agreed in the spring.",
)
NOTES = Rule(matching("set_note"), asking("Notes"))


@pytest.fixture
def office(db: None) -> House:
    house = House.build("acme", ROLES)
    set_rules(house.setup, WHOLE, NOTES)
    return house


def page(browser: Client, address: str, status: int = 200, **query: Any) -> str:
    answer = browser.get(address, query)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def typed(rule: Rule, version: int = 1, **more: Any) -> dict[str, Any]:
    """Return what a browser sends when the form of a rule is sent as it is."""
    around = {"was": rule.name if version else "", "version": version, "reason": "because"}
    return {**written(rule.to_json()), **around, **more}


def proposed(house: House) -> list[UUID]:
    rows = Proposal.objects.filter(workspace_id=house.workspace.id)
    return list(rows.values_list("id", flat=True))


def test_the_list_says_which_rule_sends_what_to_whom(office: House) -> None:
    office.propose("set_note")
    html = " ".join(page(office.client("cleo"), office.url("policies")).split())
    for text in (
        "1. Payments",
        "2. Notes",
        "2 × reviewer or admin (reviewer.email != &quot;x&quot;)",
        "90 minutes, then 1 × admin within 2 hours",
        "In force",
    ):
        assert text in html
    assert '<td class="num" data-label="Hits, 7 days">1</td>' in html
    assert "New policy" not in html


def test_the_list_costs_the_same_with_two_hundred_rules(office: House) -> None:
    browser = office.client("ada")
    automatic = asking("by itself 0", level=0, sample=0.1)
    set_rules(office.setup, replace(NOTES, terms=automatic))
    page(browser, office.url("policies"))
    counts = []
    for many in (2, 200):
        rules = [
            replace(NOTES, terms=replace(automatic, policy=f"by itself {n}")) for n in range(many)
        ]
        set_rules(office.setup, *rules)
        with CaptureQueriesContext(connection) as counted:
            page(browser, office.url("policies"))
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_a_workspace_without_policies_is_offered_starter_packs(office: House) -> None:
    bare = found("bare", "Bare")
    for name in ("ada", "amir"):
        grant(system("setup", bare.id), bare.id, office.people[name], "admin")
    browser = office.client("ada")
    html = page(browser, "/w/bare/policies/")
    assert "No policies yet" in html
    assert starters.CAREFUL.label in html
    begin = {"starter": "careful", "reason": "to begin with"}
    assert browser.post("/w/bare/policies/adopt/", begin).status_code == 302
    made = Proposal.objects.get(workspace_id=bare.id)
    assert made.title == "Take over 3 policies of a starter pack"
    assert queries.policies(bare.id).rules == ()
    assert proposed(office) == []


@pytest.mark.parametrize("pack", starters.starters(), ids=lambda pack: pack.key)
def test_what_is_offered_to_begin_with_are_rules(pack: starters.Starter) -> None:
    for rule in pack.rules:
        assert checked(rule.to_json()) == Rule.from_json(rule.to_json())


def test_a_form_says_what_its_rule_says() -> None:
    draft = read(written(WHOLE.to_json()))
    assert checked({**draft.rule, "version": 1}) == Rule.from_json(WHOLE.to_json())


def test_what_was_typed_wrongly_is_said_where_it_was_typed() -> None:
    flat = {
        **written(WHOLE.to_json()),
        "thresholds-0-approve": [""],
        "thresholds-0-filter": [""],
        "thresholds-2-approve": ["x"],
        "thresholds-2-roles": ["admin"],
        "limits-1-thresholds-1-filter": ["reviewer.("],
        "expires_seconds": ["soon"],
    }
    draft = read(flat)
    assert draft.input_of("thresholds/0/approve") == "thresholds-2-approve"
    assert draft.input_of("limits/1/thresholds/1/filter") == "limits-1-thresholds-1-filter"
    assert draft.rule["expires_seconds"] == "soon"
    assert draft.rule["thresholds"][0]["approve"] == "x"


def test_the_place_of_a_bad_expression_is_marked_below_it(office: House) -> None:
    bad = typed(WHOLE, match='action == "pay"\r\n  && amont > 5.0', do="propose")
    answer = office.client("ada").post(office.url("policies", "edit"), bad)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Undeclared reference to &#x27;amont&#x27;. (line 2, column 6)" in " ".join(html.split())
    assert "  &amp;&amp; amont &gt; 5.0\n     ^" in html
    assert proposed(office) == []


def test_a_draft_is_tried_before_it_is_proposed(office: House) -> None:
    paid = [office.propose("pay", paid=f"{amount}.20") for amount in (310, 9000)]
    wanted = replace(WHOLE, match='action == "pay" && amount > 5000.0')
    wanted = replace(wanted, terms=replace(wanted.terms, policy="Big"))
    everything = replace(wanted, match='action == "pay"', mode="draft")
    answer = office.client("eve").post(
        office.url("policies", "edit"), typed(everything, 0, do="try", before="Payments")
    )
    html = " ".join(answer.content.decode().split())
    assert answer.status_code == 200
    assert "<strong>2</strong>; of <strong>2</strong> something else would have been asked" in html
    assert all(str(made) in html for made in paid)
    assert proposed(office) == paid or set(proposed(office)) == set(paid)


def test_the_form_proposes_the_change_that_was_typed(office: House) -> None:
    wanted = replace(WHOLE, terms=replace(WHOLE.terms, hold_seconds=20))
    answer = office.client("eve").post(office.url("policies", "edit"), typed(wanted, do="propose"))
    [made] = proposed(office)
    assert answer.headers["Location"] == office.url("proposals", made)
    html = page(office.client("ada"), office.url("proposals", made))
    assert "Change the policy “Payments” to version 2" in html
    assert "Hold" in html
    assert html.count("+10 seconds") == 1


def test_an_edit_of_what_changed_meanwhile_is_refused_with_all_that_was_typed(
    office: House,
) -> None:
    set_rules(office.setup, replace(WHOLE, terms=replace(WHOLE.terms, version=2)), NOTES)
    stale = typed(replace(WHOLE, note="my note"), do="propose")
    answer = office.client("ada").post(office.url("policies", "edit"), stale)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "is version 2 now, this change was made for version 1" in html
    assert 'value="my note"' in html
    assert proposed(office) == []


@pytest.mark.parametrize(
    ("do", "title"),
    [
        ("shadow", "Put the policy “Notes” into the shadow"),
        ("remove", "Remove the policy “Notes”"),
        ("move", "Move the policy “Notes” before “Payments”"),
    ],
)
def test_a_policy_is_moved_removed_or_shadowed_by_a_proposal(
    office: House, do: str, title: str
) -> None:
    sent = {"name": "Notes", "version": "1", "do": do, "before": "Payments", "reason": "because"}
    answer = office.client("ada").post(office.url("policies", "change"), sent)
    assert answer.status_code == 302
    [made] = proposed(office)
    assert office.detail(made).proposal.title == title
    assert [rule.name for rule in queries.policies(office.workspace.id).rules] == [
        "Payments",
        "Notes",
    ]


@pytest.mark.parametrize(
    "sent",
    [
        {"name": "Notes", "version": "x", "do": "remove", "reason": "because"},
        {"name": "Notes", "version": "1", "do": "approve", "reason": "because"},
        {"name": "Nothing", "version": "1", "do": "remove", "reason": "because"},
        {"name": "Notes", "version": "1", "do": "remove", "reason": " "},
        {"name": "Notes", "version": "1", "do": "remove", "reason": "a\0b"},
        {},
    ],
)
def test_what_makes_no_sense_proposes_nothing(office: House, sent: dict[str, str]) -> None:
    answer = office.client("ada").post(office.url("policies", "change"), sent)
    assert answer.status_code in {404, 422}
    assert proposed(office) == []


@pytest.mark.parametrize("sent", [{}, {"do": "try"}, {"do": "propose", "level": "9" * 40}])
def test_an_empty_or_absurd_form_is_answered_with_what_is_wrong(
    office: House, sent: dict[str, str]
) -> None:
    answer = office.client("ada").post(office.url("policies", "edit"), sent)
    assert answer.status_code == 422
    assert "Nothing was proposed" in answer.content.decode()


@pytest.mark.parametrize("who", ["ana", "cleo"])
def test_who_has_no_right_to_policies_sees_them_and_changes_nothing(
    office: House, who: str
) -> None:
    browser = office.client(who)
    assert "What should be done" not in page(browser, office.url("policies", "rule"), name="Notes")
    page(browser, office.url("policies", "edit"), 403)
    sent = typed(NOTES, do="propose")
    for place in ("edit", "change", "adopt"):
        assert browser.post(office.url("policies", place), sent).status_code == 403


def test_a_page_of_no_policy_is_not_found(office: House) -> None:
    for place in ("rule", "shadow", "edit"):
        page(office.client("ada"), office.url("policies", place), 404, name="Nothing")


def test_the_shadow_is_held_against_what_people_decided(office: House) -> None:
    shadow = Rule('action == "pay"', asking("By itself?", level=0, sample=0.1), mode="shadow")
    set_rules(office.setup, shadow, Rule("true", asking("One", expires_seconds=7200)))
    decided: list[tuple[str, Choice]] = [
        ("310.20", "approve"),
        ("17.00", "reject"),
        ("4.00", "reject"),
    ]
    for paid, choice in decided:
        office.decide("ana", office.propose("pay", paid=paid), choice)
    office.propose("pay", paid="5.00")
    html = " ".join(
        page(office.client("cleo"), office.url("policies", "shadow"), name="By itself?").split()
    )
    assert "<strong>2</strong> of 3 that people decided on" in html
    assert "<strong>20.8%</strong> and <strong>93.9%</strong>" in html
    assert '<td class="num">1</td> <td class="num"><strong>2 ✗</strong></td>' in html
    assert html.count("/proposals/") >= 2


def test_the_forms_of_a_new_and_of_a_known_policy_are_shown(office: House) -> None:
    browser = office.client("eve")
    assert "New policy" in page(browser, office.url("policies", "edit"))
    html = page(browser, office.url("policies", "edit"), name="Payments")
    assert 'value="30000.00"' in html
    assert "amount &gt; 5000.5" in html
    assert Form(written(WHOLE.to_json())).sections()["wrong"] == []
