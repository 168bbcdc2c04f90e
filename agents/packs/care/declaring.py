"""What may be proposed about medication, how is it shown, and who must agree?"""

from functools import partial
from typing import Any

from agents.packs.care import checking, ordering
from approvals.effects import Effect
from approvals.fields import Field
from approvals.operations.registering import ActionTypeSpec
from approvals.policy import Terms, Threshold
from approvals.rulebook import Rule
from approvals.starters import Starter


def _written(pattern: str) -> dict[str, Any]:
    """Describe text that is nothing but the pattern; a bare `$` would let a line break pass."""
    return {"type": "string", "pattern": f"^(?:{pattern})$(?!\\n)"}


KEY = {"type": "string", "minLength": 1, "maxLength": 60}
TEXT = {"type": "string", "minLength": 1, "maxLength": 300}
DAY = _written("20[0-9]{2}-[0-9]{2}-[0-9]{2}")
# ISMP: a zero before the point always, after it never.
DOSE = {**_written(r"(0|[1-9][0-9]{0,5})(\.[0-9]{0,3}[1-9])?"), "not": {"const": "0"}}
UNIT = {"enum": ["mg", "mmol"]}
ROUTE = {"enum": ["oral", "intravenous", "subcutaneous"]}
HOURS = {"type": "integer", "minimum": 1, "maximum": 168}

EFFECTS = {
    "care.adjust_dose": Effect(
        ordering.adjust_dose, checking.dosing_checks, ordering.order_facts, ordering.order_measure
    ),
    "care.adjust_dose_high_risk": Effect(
        partial(ordering.adjust_dose, high_risk=True),
        checking.dosing_checks,
        ordering.order_facts,
        ordering.order_measure,
    ),
    "care.start_order": Effect(
        ordering.start_order, checking.dosing_checks, ordering.order_facts, ordering.order_measure
    ),
    "care.start_order_high_risk": Effect(
        partial(ordering.start_order, high_risk=True),
        checking.dosing_checks,
        ordering.order_facts,
        ordering.order_measure,
    ),
    "care.stop_order": Effect(
        ordering.stop_order, checking.stopping_checks, ordering.order_facts, ordering.order_measure
    ),
    "care.change_route": Effect(
        ordering.change_route, checking.dosing_checks, ordering.order_facts, ordering.order_measure
    ),
}


def _order(name: str) -> str:
    return f"/patients/*/orders/*/{name}"


DOSE_FIELD = Field(_order("dose"), "Dose", "dose", "../unit", "Dose", risk=3)
EVERY_FIELD = Field(_order("every_hours"), "Given every", "integer", "hours", "Dose", risk=2)
ROUTE_FIELD = Field(_order("route"), "Route", "enum", group="Dose", risk=2)
CHANGE_FIELDS = (
    Field(_order("changed_on"), "Changed from", "date", group="Timing"),
    Field(_order("change_reason"), "Reason", "text", group="Reason"),
)
STOP_FIELDS = (
    Field(_order("status"), "Status", "enum", group="Order", risk=2),
    Field(_order("stopped_on"), "Stopped on", "date", group="Timing"),
    Field(_order("stop_reason"), "Reason", "text", group="Reason"),
)
START_FIELDS = (
    Field(_order("drug"), "Drug", "text", group="Order", risk=3),
    DOSE_FIELD,
    Field(_order("unit"), "Unit", "text", group="Dose"),
    ROUTE_FIELD,
    EVERY_FIELD,
    Field(_order("status"), "Status", "enum", group="Order"),
    Field(_order("since"), "Given from", "date", group="Timing"),
    Field(_order("indication"), "Indication", "text", group="Reason"),
)


def _params(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(properties),
        "properties": properties,
    }


_DOSING = {"dose": DOSE, "unit": UNIT, "every_hours": HOURS, "from_day": DAY}
_ADJUST = _params(patient=KEY, order=KEY, reason=TEXT, **_DOSING)
_START = _params(patient=KEY, drug=KEY, route=ROUTE, indication=TEXT, **_DOSING)
_ADJUSTED = "{place}: {drug} from {before} to {after}"
_STARTED = "{place}: start {drug}, {after}, from {from_day}"
_UNTIL_GIVEN = "Can be changed back until the next dose is given; a dose given is irreversible."
_DISPENSED = {
    "irreversible": True,
    "text": "What the pharmacy has dispensed stays dispensed, and a dose given stays given; see to "
    "the patient, then change the order anew.",
}

ACTION_TYPES: tuple[ActionTypeSpec, ...] = (
    ActionTypeSpec(
        name="adjust_dose",
        label="Adjust a dose",
        sentence=_ADJUSTED,
        params_schema=_ADJUST,
        effect="care.adjust_dose",
        fields=(DOSE_FIELD, EVERY_FIELD, *CHANGE_FIELDS),
        risk=2,
        reversibility=_UNTIL_GIVEN,
        leaves_house=True,
        compensation=_DISPENSED,
    ),
    ActionTypeSpec(
        name="adjust_dose_high_risk",
        label="Adjust the dose of a high-risk drug",
        sentence=_ADJUSTED,
        params_schema=_ADJUST,
        effect="care.adjust_dose_high_risk",
        fields=(DOSE_FIELD, EVERY_FIELD, *CHANGE_FIELDS),
        risk=3,
        reversibility=_UNTIL_GIVEN,
        leaves_house=True,
        compensation=_DISPENSED,
    ),
    ActionTypeSpec(
        name="start_order",
        label="Start a drug",
        sentence=_STARTED,
        params_schema=_START,
        effect="care.start_order",
        fields=START_FIELDS,
        risk=2,
        reversibility=_UNTIL_GIVEN,
        leaves_house=True,
        compensation=_DISPENSED,
    ),
    ActionTypeSpec(
        name="start_order_high_risk",
        label="Start a high-risk drug",
        sentence=_STARTED,
        params_schema=_START,
        effect="care.start_order_high_risk",
        fields=START_FIELDS,
        risk=3,
        reversibility=_UNTIL_GIVEN,
        leaves_house=True,
        compensation=_DISPENSED,
    ),
    ActionTypeSpec(
        name="stop_order",
        label="Stop a drug",
        sentence="{place}: stop {drug} ({before}) on {on_day}",
        params_schema=_params(patient=KEY, order=KEY, on_day=DAY, reason=TEXT),
        effect="care.stop_order",
        fields=STOP_FIELDS,
        risk=2,
        reversibility="Can be started again as a new order; missed doses stay missed.",
        leaves_house=True,
    ),
    ActionTypeSpec(
        name="change_route",
        label="Change the route of a drug",
        sentence=_ADJUSTED,
        params_schema=_params(patient=KEY, order=KEY, route=ROUTE, reason=TEXT, **_DOSING),
        effect="care.change_route",
        fields=(ROUTE_FIELD, DOSE_FIELD, EVERY_FIELD, *CHANGE_FIELDS),
        risk=1,
        reversibility="Can be changed back; a new cannula may be needed.",
        leaves_house=True,
    ),
)

_HOUR = 3600
_TWO = Threshold(approve=2)
_AN_ADMIN = (Threshold(approve=1, roles=("admin",)),)
_ADMINS = (Threshold(approve=2, roles=("admin",)),)
POLICIES = (
    Rule(
        match='action == "change_route" && failed_checks == 0 && !tainted\n'
        '  && params.route == "oral"',
        terms=Terms(
            policy="From infusion to tablets by themselves?",
            version=1,
            level=0,
            thresholds=(),
            expires_seconds=24 * _HOUR,
            hold_seconds=10,
            sample=0.25,
        ),
        mode="shadow",
        note="Scored against what people decide; it does nothing until it is put in force.",
    ),
    Rule(
        match='action.endsWith("_high_risk") && failed_checks > 0',
        terms=Terms(
            policy="High-risk drugs that failed a check: signed by two",
            version=1,
            level=3,
            thresholds=(_TWO,),
            expires_seconds=12 * _HOUR,
            edits=False,
            then="escalate",
            escalate_to=_ADMINS,
            escalate_seconds=4 * _HOUR,
        ),
    ),
    Rule(
        match='action.endsWith("_high_risk")',
        terms=Terms(
            policy="High-risk drugs: two people",
            version=1,
            level=2,
            thresholds=(_TWO,),
            expires_seconds=12 * _HOUR,
            then="escalate",
            escalate_to=_ADMINS,
            escalate_seconds=4 * _HOUR,
        ),
    ),
    Rule(
        match='action in ["start_order", "change_route"]',
        terms=Terms(
            policy="New orders and routes: one person, ten seconds to recall",
            version=1,
            level=1,
            thresholds=(Threshold(approve=1),),
            expires_seconds=24 * _HOUR,
            hold_seconds=10,
            then="escalate",
            escalate_to=_AN_ADMIN,
            escalate_seconds=12 * _HOUR,
        ),
    ),
    Rule(
        match='action in ["adjust_dose", "stop_order"]',
        terms=Terms(
            policy="Doses and stops: one person",
            version=1,
            level=1,
            thresholds=(Threshold(approve=1),),
            expires_seconds=24 * _HOUR,
        ),
    ),
)
STARTER = Starter(
    key="care",
    label="Medication orders",
    text="Two people for high-risk drugs, signed where a check failed; tablets instead of "
    "infusions are watched from the shadow.",
    rules=POLICIES,
)
