"""The demo worlds: true effects, true checks, and in each one thing wrong that no check names."""

import json
import stat
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.test import override_settings

from agents import queries as agents
from agents.models import Run, Step
from agents.operations.running import work
from agents.operations.waking import wake_unheard
from agents.packs import care, finance
from agents.packs.care import evidence as care_evidence
from agents.packs.care import working as ward
from agents.packs.finance import evidence as finance_evidence
from agents.packs.finance import paying, sending
from agents.packs.finance import working as office
from agents.workflows import Exhibit
from approvals import effects, packing, rulebook, rulecheck
from approvals import queries as approvals
from approvals.connectors.protocol import Order
from approvals.connectors.settings import load as connectors
from approvals.effects import CannotDo, Check, Measure
from approvals.fields import Row, rows
from approvals.formats.accounts import has_right_digits
from approvals.models import ActionType, Connector, Proposal
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.executing import carry_out_due
from approvals.operations.rebasing import rebase
from approvals.operations.registering import ActionTypeSpec
from approvals.parameters import objections_to, schema_objection, title
from approvals.policy import SIGNED, Choice
from approvals.queries import Detail
from approvals.queries.facts import fact_of
from approvals.undoing import Effected, is_too_much, undoing_of
from console.access.models import ApiToken, Membership, StepUp, User, Workspace
from console.access.queries import person_in, token_for
from console.actors import Actor, system
from console.canonical import Json
from console.ledger.models import Entry
from console.supervision import addresses
from snapshots import queries as snapshots
from snapshots.diff import Change, diff
from snapshots.operations.observing import observe
from tests.terms import reason_code_for

SCRIPTS = {finance: office.SCRIPT, care: ward.SCRIPT}
TASKS = [pytest.param(pack, name, id=name) for pack, script in SCRIPTS.items() for name in script]


def now() -> datetime:
    return datetime.now(UTC)


class Proposed:
    """One scripted action, previewed without a database; `changed` are other parameters."""

    def __init__(self, pack: Any, name: str, document: Any = None, **changed: Json) -> None:
        errand = SCRIPTS[pack][name]
        self.pack, self.errand = pack, errand
        self.params: dict[str, Any] = {**errand["params"], **changed}
        self.document: Any = pack.document() if document is None else document
        self.spec = spec_of(pack, errand["action_type"])
        self.effect = effects.resolve(self.spec.effect, [])

    def after(self) -> Any:
        return self.effect.preview(self.document, self.params)

    def rows(self) -> dict[str, Row]:
        after = self.after()
        changes = diff(self.document, after, keys=self.pack.LIST_KEYS)
        return {r.path: r for r in rows(changes, self.spec.fields, self.document, after)}

    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in self.effect.checks(self.document, self.params)}

    def failed(self) -> list[str]:
        return [name for name, check in self.checks().items() if not check.passed]

    def title(self) -> str:
        facts = self.effect.facts(self.document, self.params)
        return title(self.spec.sentence, {**self.params, **facts})

    def exhibits(self) -> Iterator[Exhibit]:
        action = {"action_type": self.spec.name, "params": self.params}
        for kind, key in self.errand["look_up"]:
            if self.pack is finance:
                paper: Any = office._find(self.document, kind, key)
                yield finance_evidence.exhibit(self.spec.name, self.params, kind, key, paper)
            else:
                paper = ward._find(self.document, kind, key)
                yield care_evidence.exhibit(self.document, action, kind, key, paper)


def spec_of(pack: Any, name: str) -> ActionTypeSpec:
    specs: tuple[ActionTypeSpec, ...] = pack.ACTION_TYPES
    return next(spec for spec in specs if spec.name == name)


# The scripted actions


@pytest.mark.parametrize(("pack", "name"), TASKS)
def test_every_scripted_action_fits_its_schema_and_is_described(pack: Any, name: str) -> None:
    proposed = Proposed(pack, name)
    assert objections_to(proposed.params, proposed.spec.params_schema) == []
    found = proposed.rows()
    assert found
    assert all(row.described for row in found.values())
    assert "…" not in proposed.title()


@pytest.mark.parametrize(("pack", "name"), TASKS)
def test_an_effect_leaves_the_document_it_was_given_as_it_was(pack: Any, name: str) -> None:
    proposed = Proposed(pack, name)
    kept = deepcopy(proposed.document)
    first, second = proposed.after(), proposed.after()
    proposed.checks()
    assert proposed.document == kept
    assert first == second != kept


@pytest.mark.parametrize(("pack", "name"), TASKS)
def test_evidence_speaks_for_values_that_change(pack: Any, name: str) -> None:
    proposed = Proposed(pack, name)
    shown = proposed.rows().keys()
    papers = list(proposed.exhibits())
    spoken_for = {path for paper in papers for path in paper.paths}
    assert spoken_for
    # A paper may speak for the interval or dose of an order that keeps it.
    aside = {path for path in spoken_for - shown if path.endswith(("/dose", "/every_hours"))}
    assert spoken_for - aside <= shown
    assert all(paper.content and paper.label and paper.source for paper in papers)


@pytest.mark.parametrize(
    ("pack", "name", "expected"),
    [
        (finance, "pay-nordlicht", "Pay EUR 48,200.00 to Nordlicht Optik GmbH for invoice R-2603"),
        (
            finance,
            "bank-ostfjord",
            "Change the account of Ostfjord Sensorikk AS to NO56 9907 2200 817",
        ),
        (
            finance,
            "post-lumen",
            "Move EUR 1,966.39 (B-10431) from 4980 Consumables "
            "to 0490 Other plant, tools and equipment",
        ),
        (
            finance,
            "terms-kestrel",
            "Let Kestrel Calibration Services BV be paid in 30 days from 2026-12-01",
        ),
        (
            finance,
            "hold-duplicate",
            "Hold invoice R-2609 of Atelier Roche-Vigne SARL over EUR 1,260.00",
        ),
        (
            care,
            "gentamicin",
            "Bed 6: gentamicin from 320 mg intravenous every 24 hours "
            "to 320 mg intravenous every 36 hours",
        ),
        (care, "stop-ibuprofen", "Bed 3: stop ibuprofen (400 mg oral every 8 hours) on 2026-11-20"),
        (
            care,
            "enoxaparin",
            "Bed 1: start enoxaparin, 40 mg subcutaneous every 24 hours, from 2026-11-20",
        ),
    ],
)
def test_the_title_says_what_would_happen(pack: Any, name: str, expected: str) -> None:
    assert Proposed(pack, name).title() == expected


# What the effects do


def test_a_payment_goes_to_the_account_on_record() -> None:
    after = Proposed(finance, "pay-halden").after()
    assert after["invoices"]["R-2601"]["status"] == "released"
    assert after["invoices"]["R-2601"]["payment"] == "PAY-R-2601"
    assert after["payments"]["PAY-R-2601"] == {
        "invoice": "R-2601",
        "vendor": "V-1001",
        "vendor_reference": "HP-55812",
        "amount": "3412.80",
        "currency": "GBP",
        "iban": "GB68HBNX90900211223344",
        "value_date": "2026-11-27",
        "status": "released",
    }


def test_a_corrected_posting_is_reversed_and_entered_again() -> None:
    after = Proposed(finance, "post-lumen").after()["postings"]
    told = {
        number: (each["status"], each["account"], each["amount"])
        for number, each in after.items()
        if number.startswith("B-10431")
    }
    assert told == {
        "B-10431": ("reversed", "4980", "1966.39"),
        "B-10431-R": ("reversal", "4980", "-1966.39"),
        "B-10431-C": ("posted", "0490", "1966.39"),
    }


@pytest.mark.parametrize(
    ("pack", "name", "where", "expected"),
    [
        (
            finance,
            "terms-kestrel",
            ("vendors", "V-1006", "terms"),
            {
                "days": 30,
                "discount_percent": "2.00",
                "discount_days": 10,
                "since": "2026-12-01",
            },
        ),
        (
            finance,
            "bank-ostfjord",
            ("vendors", "V-1005", "bank"),
            {
                "name": "Vestre Viken Bank",
                "iban": "NO5699072200817",
                "bic": "VVBKNO22XXX",
                "since": "2026-11-20",
                "requested_in": "Message M-0713",
            },
        ),
        (
            care,
            "potassium",
            ("patients", "P-204", "orders", "P-204-3"),
            {
                "drug": "potassium chloride",
                "dose": "24",
                "unit": "mmol",
                "route": "oral",
                "every_hours": 12,
                "status": "active",
                "since": "2026-11-20",
                "indication": "Potassium 3.2 mmol/L under furosemide and digoxin (N-311)",
            },
        ),
        (
            care,
            "metronidazole",
            ("patients", "P-205", "orders", "P-205-1"),
            {
                "drug": "metronidazole",
                "dose": "400",
                "unit": "mg",
                "route": "oral",
                "every_hours": 8,
                "status": "active",
                "since": "2026-11-16",
                "indication": "Abscess",
                "changed_on": "2026-11-20",
                "change_reason": "No fever for 48 hours, eats and drinks (N-318)",
            },
        ),
    ],
)
def test_an_effect_writes_exactly_this(
    pack: Any, name: str, where: tuple[str, ...], expected: dict[str, Json]
) -> None:
    found = Proposed(pack, name).after()
    for part in where:
        found = found[part]
    assert found == expected


@pytest.mark.parametrize(
    ("pack", "name", "changed", "sentence"),
    [
        (finance, "pay-halden", {"invoice": "R-9"}, "There is nothing under 'R-9' in invoices."),
        (finance, "pay-halden", {"currency": "EUR"}, "Invoice R-2601 is in GBP."),
        (
            finance,
            "pay-halden",
            {"value_date": "2026-02-30"},
            "'2026-02-30' is not a day of the calendar.",
        ),
        (
            finance,
            "bank-ostfjord",
            {"message": "M-1"},
            "There is no message 'M-1' in the mailbox.",
        ),
        (
            finance,
            "bank-ostfjord",
            {"iban": "NO2799041100423"},
            "NO2799041100423 is the account of V-1005 already.",
        ),
        (
            finance,
            "post-lumen",
            {"account": "9999"},
            "There is no account '9999' in the chart of accounts.",
        ),
        (
            finance,
            "post-lumen",
            {"account": "4980"},
            "Posting B-10431 is on account 4980 already.",
        ),
        (
            finance,
            "terms-kestrel",
            {"discount_days": 31},
            "A discount cannot last longer than the term itself.",
        ),
        (care, "digoxin", {"order": "P-204-9"}, "P-204 has no order 'P-204-9'."),
        (
            care,
            "digoxin",
            {"dose": "0.25"},
            "Order P-204-1 has this dose and interval already.",
        ),
        (
            care,
            "digoxin",
            {"unit": "mmol"},
            "The formulary measures digoxin in mg, not in mmol.",
        ),
        (
            care,
            "potassium",
            {"drug": "morphine", "unit": "mg"},
            "Morphine is a high-risk drug; use an action made for those.",
        ),
        (
            care,
            "morphine",
            {"drug": "paracetamol"},
            "Paracetamol is not a high-risk drug; use the plain action.",
        ),
        (
            care,
            "enoxaparin",
            {"route": "oral"},
            "The formulary has no oral enoxaparin.",
        ),
        (care, "metronidazole", {"route": "intravenous"}, "Order P-205-1 is intravenous already."),
        (care, "stop-ibuprofen", {"order": "P-203-1"}, "Order P-203-1 is stopped."),
    ],
)
def test_an_effect_refuses_with_a_sentence(
    pack: Any, name: str, changed: dict[str, Json], sentence: str
) -> None:
    with pytest.raises(CannotDo) as refused:
        Proposed(pack, name, **changed).after()
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("pack", "name"),
    [
        (finance, "pay-halden"),
        (finance, "bank-nordlicht"),
        (finance, "post-lumen"),
        (finance, "terms-kestrel"),
        (finance, "hold-duplicate"),
        (care, "digoxin"),
        (care, "paracetamol"),
        (care, "stop-ibuprofen"),
        (care, "metronidazole"),
    ],
)
def test_an_effect_cannot_be_had_twice(pack: Any, name: str) -> None:
    once = Proposed(pack, name).after()
    with pytest.raises(CannotDo):
        Proposed(pack, name, once).after()


@pytest.mark.parametrize(("pack", "name"), TASKS)
@pytest.mark.parametrize("document", [{}, [], "ledger", {"invoices": [], "patients": 7}])
def test_an_effect_refuses_a_record_of_another_kind(pack: Any, name: str, document: Json) -> None:
    with pytest.raises(CannotDo):
        Proposed(pack, name, document).after()


@pytest.mark.parametrize(
    ("pack", "action_type", "name", "values"),
    [
        (finance, "release_payment", "amount", ["1", "1.5", "-1.00", "01.00", "1.00\n", 1.0]),
        (finance, "release_payment", "value_date", ["20.11.2026", "2026-11-20T10:00", ""]),
        (
            finance,
            "change_bank_details",
            "iban",
            ["NO56 9907", "no5699072200817", "NO5699072200817\n"],
        ),
        (care, "adjust_dose", "dose", ["0", ".5", "1.0", "1,5", "0.10", "1.25\n", 1.25]),
        (care, "start_order", "route", ["by mouth", "intrathecal"]),
    ],
)
def test_a_schema_refuses_what_could_be_misread(
    pack: Any, action_type: str, name: str, values: list[Json]
) -> None:
    schema = spec_of(pack, action_type).params_schema
    fitting = next(
        errand["params"]
        for errand in SCRIPTS[pack].values()
        if errand["action_type"] == action_type
    )
    assert schema_objection(schema) is None
    for value in values:
        found = objections_to({**fitting, name: value}, schema)
        assert [field for field, _ in found] == [name] * len(found), value
        assert found, value


# The checks


FAILING = {
    "pay-wendt": ["Amount equals the purchase order"],
    "bank-ostfjord": ["Nothing is due within 7 days of the request"],
    "morphine": ["No recorded allergy or intolerance"],
}


@pytest.mark.parametrize(("pack", "name"), TASKS)
def test_the_checks_on_the_scripted_actions(pack: Any, name: str) -> None:
    assert Proposed(pack, name).failed() == FAILING.get(name, [])


def set_at(document: Any, path: str, value: Json) -> Any:
    *parents, last = path.split("/")
    target = document
    for part in parents:
        target = target[int(part) if isinstance(target, list) else part]
    target[last] = value
    return document


@pytest.mark.parametrize(
    ("pack", "name", "path", "value", "check"),
    [
        (finance, "pay-halden", "vendors/V-1001/status", "blocked", "Vendor is known and active"),
        (
            finance,
            "pay-halden",
            "vendors/V-1001/bank/iban",
            "GB68HBNX90900211223345",
            "Account number is well formed",
        ),
        (
            finance,
            "pay-halden",
            "purchase_orders/PO-881/total",
            "3412.81",
            "Amount equals the purchase order",
        ),
        (
            finance,
            "pay-halden",
            "goods_receipts/GR-5607/purchase_order",
            "PO-890",
            "All goods were received",
        ),
        (
            finance,
            "pay-halden",
            "payments/PAY-R-2544/vendor_reference",
            "hp 55812",
            "Not paid before",
        ),
        (finance, "pay-halden", "payments/PAY-R-2544/amount", "3412.80", "Not paid before"),
        (finance, "pay-halden", "invoices/R-2601/due_date", "2026-11-26", "Paid by the due date"),
        (
            finance,
            "bank-nordlicht",
            "vendors/V-1007/bank/iban",
            "ES5699990431120004718806",
            "New account belongs to no other vendor",
        ),
        (
            finance,
            "bank-nordlicht",
            "vendors/V-1004/customer_number",
            "70045",
            "The request quotes our customer number",
        ),
        (
            finance,
            "bank-nordlicht",
            "invoices/R-2612/due_date",
            "2026-11-24",
            "Nothing is due within 7 days of the request",
        ),
        (
            finance,
            "post-lumen",
            "postings/B-10431/amount",
            "800.00",
            "Amount fits the account",
        ),
        (
            finance,
            "hold-duplicate",
            "payments/PAY-R-2547/vendor",
            "V-1001",
            "An earlier payment looks alike",
        ),
        (
            care,
            "digoxin",
            "formulary/digoxin/routes/oral/to",
            "1.24",
            "Single dose is within the formulary's range",
        ),
        (
            care,
            "paracetamol",
            "formulary/paracetamol/routes/oral/most_per_day",
            "1999",
            "Daily total is within the formulary's limit",
        ),
        (
            care,
            "potassium",
            "patients/P-204/clearance_ml_min",
            29,
            "Kidney function allows the drug",
        ),
        (
            care,
            "enoxaparin",
            "patients/P-201/allergies/0/class",
            "low molecular weight heparin",
            "No recorded allergy or intolerance",
        ),
        (
            care,
            "morphine",
            "formulary/paracetamol/class",
            "opioid",
            "No second drug of the same class",
        ),
        (
            care,
            "stop-ibuprofen",
            "patients/P-203/orders/P-203-2/since",
            "2026-11-21",
            "Stopped after it began",
        ),
        (care, "stop-ibuprofen", "formulary/ibuprofen/high_risk", True, "Not a high-risk drug"),
    ],
)
def test_a_check_fails_when_the_record_says_otherwise(
    pack: Any, name: str, path: str, value: Json, check: str
) -> None:
    proposed = Proposed(pack, name, set_at(pack.document(), path, value))
    assert set(proposed.failed()) == {check, *FAILING.get(name, [])}


@pytest.mark.parametrize(
    ("pack", "name", "changed", "check"),
    [
        (finance, "pay-halden", {"amount": "3412.08"}, "Amount equals the invoice"),
        (
            finance,
            "bank-nordlicht",
            {"iban": "ES5699990431120004718860"},
            "New account number is well formed",
        ),
        (finance, "post-lumen", {"cost_centre": "4100"}, "Cost centre stays the same"),
        (finance, "terms-kestrel", {"days": 61}, "At most 60 days"),
        (finance, "terms-kestrel", {"days": 45}, "The message states the term"),
        (care, "digoxin", {"dose": "2.5"}, "Single dose is within the formulary's range"),
        (care, "paracetamol", {"every_hours": 2}, "Daily total is within the formulary's limit"),
    ],
)
def test_a_check_fails_when_the_action_says_otherwise(
    pack: Any, name: str, changed: dict[str, Json], check: str
) -> None:
    assert check in Proposed(pack, name, **changed).failed()


# The one thing that is wrong


def test_the_account_is_asked_for_by_a_stranger_and_no_check_says_so() -> None:
    proposed = Proposed(finance, "bank-nordlicht")
    assert proposed.failed() == []
    asked = next(m for m in proposed.document["mailbox"] if m["id"] == "M-0711")
    vendor = proposed.document["vendors"]["V-1004"]
    stranger, known = asked["from"].partition("<")[2].rstrip(">"), vendor["contact"]["email"]
    assert sum(a != b for a, b in zip(stranger, known, strict=True)) == 1
    assert "still the same bank" in asked["body"]
    row = proposed.rows()["/vendors/V-1004/bank/iban"]
    assert row.note == "country changes from DE to ES; check digits are right"
    seen = [paper for paper in proposed.exhibits() if row.path in paper.paths]
    assert [paper.label for paper in seen] == ["E-mail M-0711", "Vendor record V-1004"]
    assert stranger in seen[0].content
    assert known in seen[1].content


def test_the_dose_is_ten_times_what_was_asked_for_and_no_check_says_so() -> None:
    proposed = Proposed(care, "digoxin")
    assert proposed.failed() == []
    row = proposed.rows()["/patients/P-204/orders/P-204-1/dose"]
    assert row.note == "5 times higher, +1 milligram"
    note = next(paper for paper in proposed.exhibits() if paper.label == "Note N-311")
    assert row.path in note.paths
    assert "half of what she has now: digoxin 0.125 mg" in note.content
    assert Decimal(proposed.params["dose"]) == 10 * Decimal("0.125")
    assert Proposed(care, "digoxin", dose="0.125").failed() == []


def test_nobody_else_in_the_mailbox_writes_from_a_strange_address() -> None:
    document: Any = finance.document()
    known = {vendor["contact"]["email"] for vendor in document["vendors"].values()}
    strange = [
        message["id"]
        for message in document["mailbox"]
        if not any(address in message["from"] for address in (*known, "@brackwater.example"))
    ]
    assert strange == ["M-0711"]


def test_every_other_dose_stands_in_the_note_that_asks_for_it() -> None:
    document: Any = care.document()
    notes = {note["id"]: note["body"] for note in document["messages"]}
    unsaid = []
    for name, errand in ward.SCRIPT.items():
        params = errand["params"]
        body = notes[dict(errand["look_up"])["message"]]
        if "dose" in params and f" {params['dose']} {params['unit']}" not in body:
            unsaid.append(name)
    assert unsaid == ["digoxin"]


# The worlds


def test_the_books_agree_with_themselves() -> None:
    book: Any = finance.document()
    orders, vendors = book["purchase_orders"], book["vendors"]
    assert (len(vendors), len(book["invoices"])) == (8, 12)
    assert all(has_right_digits(vendor["bank"]["iban"]) for vendor in vendors.values())
    for order in orders.values():
        lines = (line["quantity"] * Decimal(line["unit_price"]) for line in order["lines"])
        assert sum(lines) == Decimal(order["total"])
        assert order["vendor"] in vendors
    for invoice in book["invoices"].values():
        assert orders[invoice["purchase_order"]]["vendor"] == invoice["vendor"]
    for receipt in book["goods_receipts"].values():
        assert receipt["purchase_order"] in orders
    assert all(posting["account"] in book["accounts"] for posting in book["postings"].values())


def test_the_ward_gives_nothing_that_the_formulary_does_not_know() -> None:
    record: Any = care.document()
    assert len(record["patients"]) == 6
    for patient in record["patients"].values():
        for order in patient["orders"].values():
            drug = record["formulary"][order["drug"]]
            assert order["route"] in drug["routes"]
            assert order["unit"] == drug["unit"]
    assert all(result["patient"] in record["patients"] for result in record["results"].values())


def test_names_and_addresses_belong_to_nobody() -> None:
    for pack in SCRIPTS:
        text = json.dumps(pack.document())
        hosts = {part.split(">")[0].split('"')[0] for part in text.split("@")[1:]}
        assert all(host.endswith(".example") for host in hosts)


# A payment of nothing that passed every check, in the words that policies may speak of.
ASKED_OF_NOBODY: dict[str, Any] = rulebook.values_of(
    rulebook.About("", "", "", 2, leaves_house=True, tainted=False),
    {"route": "oral"},
    [],
    0,
    Measure(),
    datetime(2026, 11, 21, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("pack", "action_type", "more", "level", "approvals_needed", "hold"),
    [
        (finance, "change_bank_details", {}, 2, 2, 0),
        (finance, "change_bank_details", {"failed_checks": 1}, 2, 2, 0),
        (finance, "change_bank_details", {"failed_checks": 2}, 3, 2, 0),
        (finance, "release_payment", {}, 1, 1, 10),
        (finance, "release_payment", {"amount": 19_999.99}, 1, 1, 10),
        (finance, "release_payment", {"amount": 20_000.0}, 2, 1, 10),
        (finance, "hold_invoice", {}, 1, 1, 0),
        (finance, "something_new", {}, 2, 2, 0),
        (care, "adjust_dose_high_risk", {}, 2, 2, 0),
        (care, "start_order_high_risk", {}, 2, 2, 0),
        (care, "start_order_high_risk", {"failed_checks": 1}, 3, 2, 0),
        (care, "start_order", {}, 1, 1, 10),
        (care, "change_route", {}, 1, 1, 10),
        (care, "adjust_dose", {"failed_checks": 1}, 1, 1, 0),
    ],
)
def test_policies_ask_for_people_by_what_is_at_stake(
    pack: Any,
    action_type: str,
    more: dict[str, Any],
    level: int,
    approvals_needed: int,
    hold: int,
) -> None:
    values = {**ASKED_OF_NOBODY, **more, "action": action_type}
    terms = rulebook.judge(pack.POLICIES, values).terms
    assert (terms.level, terms.needed, terms.hold_seconds) == (level, approvals_needed, hold)


@pytest.mark.parametrize("pack", list(SCRIPTS))
def test_policies_are_rules_of_which_one_runs_in_the_shadow(pack: Any) -> None:
    for rule in pack.POLICIES:
        assert rulecheck.checked(rule.to_json()) == rulebook.Rule.from_json(rule.to_json())
    assert [rule.terms.level for rule in pack.POLICIES if rule.mode == "shadow"] == [0]


@pytest.mark.parametrize(
    ("pack", "name", "measure"),
    [
        (finance, "pay-wendt", Measure(Decimal("11598.50"), "EUR", "V-1002", "R-2602")),
        (finance, "pay-halden", Measure(Decimal("3412.80"), "GBP", "V-1001", "R-2601")),
        (finance, "bank-ostfjord", Measure(counterparty="V-1005", subject="V-1005")),
        (finance, "hold-duplicate", Measure(counterparty="V-1008", subject="R-2609")),
        (care, "digoxin", Measure(subject="P-204")),
        (care, "metronidazole", Measure(subject="P-205")),
    ],
)
def test_limits_look_at_how_much_goes_to_whom(pack: Any, name: str, measure: Measure) -> None:
    proposed = Proposed(pack, name)
    assert proposed.effect.measure(proposed.document, proposed.params) == measure


@pytest.mark.parametrize("pack", list(SCRIPTS))
def test_every_task_is_in_one_demo_job(pack: Any) -> None:
    told = [task for _, tasks in pack.DEMO_JOBS for task in tasks]
    assert sorted(told) == sorted(SCRIPTS[pack])
    # What undoes another action is proposed after a rollback, not by an agent.
    undoing = {spec.compensation.get("action_type") for spec in pack.ACTION_TYPES}
    assert {spec.name for spec in pack.ACTION_TYPES} - undoing == {
        errand["action_type"] for errand in SCRIPTS[pack].values()
    }


def test_what_recalls_a_payment_asks_all_of_it_back_once() -> None:
    paid = Proposed(finance, "pay-wendt")
    [spec] = [each for each in finance.ACTION_TYPES if each.name == "release_payment"]
    at = datetime(2026, 3, 2, tzinfo=UTC)
    found = undoing_of(spec.compensation, Effected(paid.params, "B-1", "e1", at), at)
    assert found is not None
    assert (found.action_type, found.due_at) == ("recall_payment", at + timedelta(days=14))
    params = dict(found.params or {})
    [back] = [each for each in finance.ACTION_TYPES if each.name == found.action_type]
    assert objections_to(params, back.params_schema) == []
    effect = effects.resolve(back.effect, [])
    assert not is_too_much(
        paid.effect.measure(paid.document, paid.params), effect.measure(paid.document, params)
    )
    after: Any = effect.preview(paid.document, params)
    [recall] = after["recalls"].values()
    assert (recall["amount"], recall["bank_reference"], recall["status"]) == (
        "11598.50",
        "B-1",
        "asked",
    )
    assert [check.passed for check in effect.checks(paid.document, params)] == [True, True]
    with pytest.raises(CannotDo, match="recalled before"):
        effect.preview(after, params)
    with pytest.raises(CannotDo, match="is in EUR"):
        effect.preview(paid.document, {**params, "currency": "USD"})


# The demo, loaded and played


# The real hasher takes its time on purpose.
# A payment that leaves the house


@pytest.mark.parametrize("name", ["pay-nordlicht", "pay-halden", "pay-wendt"])
def test_a_bank_would_take_each_payment_of_the_demo(name: str, tmp_path: Path) -> None:
    settings = tmp_path / "connectors.toml"
    settings.write_text(sending.settings(tmp_path), encoding="utf-8")
    bank = connectors(str(settings), {})[sending.CONNECTOR]
    proposed = Proposed(finance, name)
    book, number = proposed.document, proposed.params["invoice"]
    vendor = book["vendors"][book["invoices"][number]["vendor"]]
    payee = paying.payee(vendor, book["invoices"][number])
    params = {**proposed.params, **payee}
    [spec] = [each for each in sending.ACTION_TYPES_SENT if each.connector]
    assert objections_to(params, spec.params_schema) == []
    assert objections_to(proposed.params, spec.params_schema) != []
    body = bank.build(Order("0" * 32, spec.name, params, now())).decode()
    assert f"<IBAN>{vendor['bank']['iban']}</IBAN>" in body
    assert f">{params['amount']}</InstdAmt>" in body
    assert Proposed(finance, name, **payee).after() == proposed.after()


@pytest.mark.parametrize("part", ["creditor", "iban", "bic", "reference"])
def test_a_payment_to_anybody_but_the_vendor_on_record_is_refused(part: str) -> None:
    with pytest.raises(CannotDo, match=f"another {part}"):
        Proposed(finance, "pay-wendt", **{part: "ES5699990431120004718806"}).after()


QUICK = "django.contrib.auth.hashers.MD5PasswordHasher"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Load the demo with a run folder of its own and give the file of sign-ins."""
    monkeypatch.setattr(addresses, "run_dir", lambda: tmp_path / "run")
    with override_settings(PASSWORD_HASHERS=[QUICK]):
        load()
        yield tmp_path / "run" / "demo.json"


def load() -> str:
    said = StringIO()
    call_command("load_demo", stdout=said)
    return said.getvalue()


def told(file: Path) -> list[dict[str, str]]:
    notes: list[dict[str, str]] = json.loads(file.read_text())
    return notes


def workspace_of(pack: Any) -> UUID:
    return Workspace.objects.get(slug=pack.SLUG).id


def member(pack: Any, key: str) -> Actor:
    found = person_in(User.objects.get(email=f"{key}@countersign.example"), pack.SLUG)
    assert found is not None
    return found[1]


def open_in(pack: Any) -> list[Proposal]:
    return list(approvals.open_proposals(workspace_of(pack)).order_by("created_at"))


def answer(pack: Any, proposal_id: UUID, choice: Choice) -> None:
    """Let as many reviewers decide as the terms ask for, each on the newest revision."""
    workspace = workspace_of(pack)
    rebase(actor=system("rebase", workspace), proposal_id=proposal_id, now=now())
    detail = approvals.detail(workspace, proposal_id)
    failed = [check["name"] for check in detail.revision.checks if not check["passed"]]
    people = ("ana", "ben") if pack is finance else ("noor", "tom")
    for key in people:
        who = member(pack, key)
        act = Act(choice, "Read diff and evidence.", reason_code_for(choice), tuple(failed))
        if detail.terms.level >= SIGNED:
            act = signed(act, detail, who)
        outcome = decide(
            proposal_id=proposal_id,
            seen=Seen(detail.revision.number, detail.revision.digest),
            actor=who,
            act=act,
            now=now(),
        )
        if outcome != "pending":
            return


def signed(act: Act, detail: Detail, who: Actor) -> Act:
    """Let somebody who decides type the fact that is asked for and prove who they are."""
    asked = fact_of(detail.proposal, detail.revision, who)
    assert asked is not None
    proof = StepUp.objects.create(
        person_id=UUID(who.id),
        purpose=packing.purpose(detail.proposal.id, detail.revision.digest, act.choice),
        method="password_totp",
        verified_at=now(),
    )
    return replace(act, fact=asked.expected, meaning="reviewed", step_up=proof.id)


def play(pack: Any, refuse: str = "") -> None:
    """Decide everything until nothing waits; reject what has `refuse` in its title."""
    for _ in range(20):
        work()
        waiting = open_in(pack)
        if not waiting:
            return
        for proposal in waiting:
            refused = refuse and refuse in proposal.title
            answer(pack, proposal.id, "reject" if refused else "approve")
            carry_out_held()
        wake_unheard()
    raise AssertionError("The runs do not end.")


def carry_out_held() -> None:
    carry_out_due(now=now() + timedelta(seconds=11))


def result_of(run: Run) -> Any:
    return Run.objects.get(id=run.id).result


def content(pack: Any) -> Any:
    head = snapshots.find(workspace_of(pack), pack.STATE_KEY)
    assert head is not None
    return snapshots.content(head.state_id, head.number)


@pytest.mark.django_db(transaction=True)
def test_fills_both_queues_when_the_workers_start(demo: Path) -> None:
    work()
    for pack in SCRIPTS:
        waiting = open_in(pack)
        assert len(waiting) == 6
        assert len({proposal.origin for proposal in waiting}) == 6
        runs = agents.runs(workspace_of(pack))
        assert {run.status for run in runs} == {"waiting"}
        for proposal in waiting:
            detail = approvals.detail(proposal.workspace_id, proposal.id)
            assert detail.evidence
            assert "The critic's note: " in detail.revision.rationale
            assert ("Enough people may decide" in str(detail.revision.checks)) is False


@pytest.mark.django_db(transaction=True)
def test_shows_who_did_what_in_the_trace(demo: Path) -> None:
    work()
    run = agents.runs(workspace_of(care)).get(job__label="Bed 2: corrected weight")
    steps = [(step.kind, step.agent, step.name) for step in agents.steps(run.id)]
    assert steps == [
        ("handoff", "coordinator", "pharmacist"),
        ("tool_call", "pharmacist", "read_state"),
        ("tool_call", "pharmacist", "read_notes"),
        ("tool_call", "pharmacist", "look_up_chart"),
        ("tool_call", "pharmacist", "look_up_formulary"),
        ("memory", "pharmacist", "recall"),
        ("memory", "pharmacist", "remember"),
        ("model_call", "pharmacist", "scripted-pharmacist"),
        ("handoff", "pharmacist", "coordinator"),
        ("handoff", "pharmacist", "critic"),
        ("model_call", "critic", "scripted-critic"),
        ("handoff", "critic", "pharmacist"),
        ("proposal", "pharmacist", "adjust_dose"),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pack", list(SCRIPTS))
def test_plays_to_the_end_when_everything_is_approved(demo: Path, pack: Any) -> None:
    play(pack)
    runs = list(agents.runs(workspace_of(pack)))
    assert {run.status for run in runs} == {"succeeded"}
    results = [result_of(run) for run in runs]
    outcomes = {
        name: end["status"] for result in results for name, end in result["outcomes"].items()
    }
    assert outcomes == dict.fromkeys(SCRIPTS[pack], "approved")
    expected = pack.document()
    titles = Proposal.objects.filter(workspace=workspace_of(pack)).order_by("settled_at")
    assert titles.count() == len(SCRIPTS[pack])
    for name in SCRIPTS[pack]:
        expected = Proposed(pack, name, expected).after()
    assert content(pack) == expected


@pytest.mark.django_db(transaction=True)
def test_pays_the_known_account_when_the_strange_one_is_rejected(demo: Path) -> None:
    play(finance, refuse="account of Nordlicht")
    book = content(finance)
    assert book["vendors"]["V-1004"] == finance_vendor("V-1004")
    assert book["payments"]["PAY-R-2603"]["iban"] == "DE22999000370020488190"


@pytest.mark.django_db(transaction=True)
def test_would_pay_the_strange_account_when_nobody_reads(demo: Path) -> None:
    play(finance)
    assert content(finance)["payments"]["PAY-R-2603"]["iban"] == "ES5699990431120004718806"


@pytest.mark.django_db(transaction=True)
def test_leaves_the_dose_as_it_was_when_it_is_rejected(demo: Path) -> None:
    play(care, refuse="digoxin")
    orders = content(care)["patients"]["P-204"]["orders"]
    assert orders["P-204-1"]["dose"] == "0.25"
    assert orders["P-204-3"]["drug"] == "potassium chloride"


@pytest.mark.django_db(transaction=True)
def test_looks_again_when_the_record_moved_during_the_hold(demo: Path) -> None:
    work()
    held = next(each for each in open_in(finance) if "Halden" in each.title)
    answer(finance, held.id, "approve")
    observe(
        actor=system("mailroom", held.workspace_id),
        state_id=held.state_id,
        changes=[Change("add", "/postscript", value="A parcel came.")],
        cause_id="parcel",
        reason="mail",
        now=datetime.now(UTC),
    )
    carry_out_held()
    wake_unheard()
    work()
    assert approvals.answer(held.workspace_id, held.id).status == "stale"
    [again] = [each for each in open_in(finance) if "Halden" in each.title]
    assert (again.origin, again.title) == (held.origin, held.title)


@pytest.mark.django_db(transaction=True)
def test_skips_an_errand_whose_papers_are_missing(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = {**office.SCRIPT["hold-duplicate"], "look_up": [["payment", "PAY-R-1"]]}
    monkeypatch.setitem(office.SCRIPT, "hold-duplicate", errand)
    work()
    run = agents.runs(workspace_of(finance)).get(job__label__startswith="Roche-Vigne")
    assert run.status == "succeeded"
    [failed] = Step.objects.filter(run=run.id).exclude(error="")
    assert failed.error == "There is nothing under 'PAY-R-1' in payments."
    assert result_of(run)["outcomes"]["hold-duplicate"]["status"] == "skipped"


def finance_vendor(number: str) -> Json:
    document: Any = finance.document()
    vendor: Json = document["vendors"][number]
    return vendor


@pytest.mark.django_db(transaction=True)
def test_a_second_time_adds_nothing(demo: Path) -> None:
    before, rows_before = demo.read_bytes(), counted()
    assert "0 new jobs" in load()
    assert demo.read_bytes() == before
    assert counted() == rows_before


def counted() -> list[int]:
    models = (Workspace, User, Membership, ApiToken, Run, Entry)
    return [model._default_manager.count() for model in models]


@pytest.mark.django_db(transaction=True)
def test_sign_ins_are_for_the_owner_only_and_work(demo: Path) -> None:
    assert stat.S_IMODE(demo.stat().st_mode) == 0o600
    notes = told(demo)
    assert len({note["password"] for note in notes}) == 1
    assert [note["role"] for note in notes].count("reviewer") == 4
    for note in notes:
        person = User.objects.get(email=note["email"])
        assert person.check_password(note["password"])
        found = person_in(person, note["workspace"])
        assert found is not None
        assert found[1].roles == {note["role"]}
    tokens = [note["token"] for note in notes if "token" in note]
    assert [note["role"] for note in notes if "token" in note] == ["engineer", "engineer"]
    slugs = [token.workspace.slug for each in tokens if (token := token_for(each, now()))]
    assert slugs == [finance.SLUG, care.SLUG]


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_of_one_house_is_a_stranger_in_the_other(demo: Path) -> None:
    ana = User.objects.get(email="ana@countersign.example")
    assert person_in(ana, care.SLUG) is None


@pytest.mark.django_db(transaction=True)
def test_a_lost_file_means_a_new_password_and_no_second_job(demo: Path) -> None:
    lost = told(demo)[0]
    demo.unlink()
    assert "0 new jobs" in load()
    found = told(demo)[0]
    assert found["password"] != lost["password"]
    person = User.objects.get(email=found["email"])
    assert person.check_password(found["password"])
    assert not person.check_password(lost["password"])


@pytest.mark.django_db(transaction=True)
def test_a_password_that_somebody_changed_stays(demo: Path) -> None:
    ana = User.objects.get(email="ana@countersign.example")
    ana.set_password("her own choice")
    ana.save()
    load()
    assert User.objects.get(id=ana.id).check_password("her own choice")


@pytest.mark.django_db(transaction=True)
def test_a_token_that_works_no_more_is_replaced(demo: Path) -> None:
    ApiToken.objects.update(revoked_at=now())
    before = [note["token"] for note in told(demo) if "token" in note]
    load()
    after = [note["token"] for note in told(demo) if "token" in note]
    assert len(set(before) | set(after)) == 4
    assert all(token_for(each, now()) for each in after)


@pytest.mark.django_db
def test_payments_leave_the_house_where_the_supervisor_says_so(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    call_command("load_demo", sends=True, stdout=StringIO())
    kept = tmp_path / "connectors.toml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    rows = Connector.objects.filter(is_offered=True)
    assert [(row.name, row.workspace.slug) for row in rows] == [("payments", finance.SLUG)]
    types = ActionType.objects.exclude(connector="")
    assert [(row.name, row.connector) for row in types] == [("release_payment", "payments")]
    kept.write_text(kept.read_text() + "# mine\n")
    call_command("load_demo", sends=True, stdout=StringIO())
    assert kept.read_text().endswith("# mine\n")
    kept.write_text("no TOML")
    said = StringIO()
    call_command("load_demo", sends=True, stdout=StringIO(), stderr=said)
    assert "Nothing leaves the house" in said.getvalue()
