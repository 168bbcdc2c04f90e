"""What speaks for an order, or against it? Each check is computed from record and formulary."""

from decimal import Decimal

from agents.packs.care.record import Record, active_order, daily, entry
from approvals.effects import Check, Document, Params


def dosing_checks(document: Document, params: Params) -> list[Check]:
    """Hold what would be given against formulary, kidneys, allergies and the other orders."""
    patient = entry(document, "patients", params["patient"])
    given = {**patient["orders"].get(params.get("order"), {}), **params}
    drug = entry(document, "formulary", given["drug"])
    return [
        _range_check(given, drug),
        _daily_check(given, drug),
        _kidney_check(patient, given, drug),
        _allergy_check(patient, given, drug),
        _double_check(document, patient, given, drug),
    ]


def stopping_checks(document: Document, params: Params) -> list[Check]:
    """Say whether stopping fits the order's dates and the drug's risk."""
    order = active_order(document, params["patient"], params["order"])
    return [
        Check(
            "Stopped after it began",
            passed=params["on_day"] >= order["since"],
            sentence=f"{order['drug'].capitalize()} has been given since {order['since']}.",
        ),
        Check(
            "Not a high-risk drug",
            passed=not entry(document, "formulary", order["drug"])["high_risk"],
            sentence=f"The formulary was asked for {order['drug']}.",
        ),
    ]


def _range_check(given: Record, drug: Record) -> Check:
    limits = drug["routes"][given["route"]]
    low, high = Decimal(limits["from"]), Decimal(limits["to"])
    return Check(
        "Single dose is within the formulary's range",
        passed=low <= Decimal(given["dose"]) <= high,
        sentence=f"{given['drug'].capitalize()} {given['route']}: "
        f"{limits['from']} to {limits['to']} {drug['unit']}.",
    )


def _daily_check(given: Record, drug: Record) -> Check:
    most = drug["routes"][given["route"]]["most_per_day"]
    total = daily(given["dose"], given["every_hours"])
    return Check(
        "Daily total is within the formulary's limit",
        passed=total <= Decimal(most),
        sentence=f"It comes to {total.normalize():f} {drug['unit']} a day; the limit is {most}.",
    )


def _kidney_check(patient: Record, given: Record, drug: Record) -> Check:
    clearance, least = patient["clearance_ml_min"], drug["clearance_from"]
    return Check(
        "Kidney function allows the drug",
        passed=clearance >= least,
        sentence=f"Clearance is {clearance} ml/min; "
        f"the formulary gives {given['drug']} from {least} ml/min.",
    )


def _allergy_check(patient: Record, given: Record, drug: Record) -> Check:
    names = {given["drug"], drug["class"]}
    found = [each for each in patient["allergies"] if {each["substance"], each["class"]} & names]
    sentence = "The chart has no entry for this drug or its class."
    if found:
        sentence = f"The chart says {found[0]['substance']}: {found[0]['reaction']}."
    return Check("No recorded allergy or intolerance", passed=not found, sentence=sentence)


def _double_check(document: Document, patient: Record, given: Record, drug: Record) -> Check:
    others = [
        order["drug"]
        for number, order in patient["orders"].items()
        if number != given.get("order")
        and order["status"] == "active"
        and entry(document, "formulary", order["drug"])["class"] == drug["class"]
    ]
    sentence = f"No other active order is a drug of the class {drug['class']}."
    if others:
        sentence = f"{others[0].capitalize()} is given already, of the class {drug['class']}."
    return Check("No second drug of the same class", passed=not others, sentence=sentence)
