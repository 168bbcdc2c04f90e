"""What happens to a medication order when it is adjusted, stopped, started or given otherwise?

High-risk drugs have action types of their own, so that a policy can ask for more people.
"""

from agents.packs.care.record import Record, active_order, day, entry, next_order, replaced
from approvals.effects import CannotDo, Document, Measure, Params
from console.canonical import Json
from snapshots.diff import Change, apply


def adjust_dose(document: Document, params: Params, *, high_risk: bool = False) -> Json:
    """Give an active order another dose or interval."""
    order = active_order(document, params["patient"], params["order"])
    drug = _drug(document, order["drug"], order["route"], params["unit"])
    _refuse_other_risk(order["drug"], drug, high_risk=high_risk)
    dosing: dict[str, Json] = {"dose": params["dose"], "every_hours": params["every_hours"]}
    if not _changes(params, order, dosing):
        raise CannotDo(f"Order {params['order']} has this dose and interval already.")
    return apply(document, _changes(params, order, {**dosing, **_why(params)}))


def stop_order(document: Document, params: Params) -> Json:
    """End an active order, with day and reason."""
    order = active_order(document, params["patient"], params["order"])
    values: dict[str, Json] = {
        "status": "stopped",
        "stopped_on": day(params["on_day"]),
        "stop_reason": params["reason"],
    }
    return apply(document, _changes(params, order, values))


def start_order(document: Document, params: Params, *, high_risk: bool = False) -> Json:
    """Put a new order on the patient's chart."""
    drug = _drug(document, params["drug"], params["route"], params["unit"])
    _refuse_other_risk(params["drug"], drug, high_risk=high_risk)
    number = next_order(document, params["patient"])
    order: Json = {
        "drug": params["drug"],
        "dose": params["dose"],
        "unit": params["unit"],
        "route": params["route"],
        "every_hours": params["every_hours"],
        "status": "active",
        "since": day(params["from_day"]),
        "indication": params["indication"],
    }
    path = f"/patients/{params['patient']}/orders/{number}"
    return apply(document, [Change("add", path, value=order)])


def change_route(document: Document, params: Params) -> Json:
    """Give an active order by another route, with the dose that belongs to it."""
    order = active_order(document, params["patient"], params["order"])
    drug = _drug(document, order["drug"], params["route"], params["unit"])
    _refuse_other_risk(order["drug"], drug, high_risk=False)
    if params["route"] == order["route"]:
        raise CannotDo(f"Order {params['order']} is {order['route']} already.")
    values: dict[str, Json] = {
        "route": params["route"],
        "dose": params["dose"],
        "every_hours": params["every_hours"],
    }
    return apply(document, _changes(params, order, {**values, **_why(params)}))


def order_facts(document: Document, params: Params) -> dict[str, str]:
    """Name bed, drug and both doses for the title, and never the patient."""
    patient = entry(document, "patients", params["patient"])
    place = {"place": f"Bed {patient['bed']}"}
    if "order" not in params:
        return {**place, "after": _said(params)}
    order = patient["orders"][params["order"]]
    words = {**place, "drug": order["drug"], "before": _said(order)}
    return words if "dose" not in params else {**words, "after": _said({**order, **params})}


def order_measure(document: Document, params: Params) -> Measure:
    """Say which patient it is about; a dose is no amount of money."""
    entry(document, "patients", params["patient"])
    return Measure(subject=params["patient"])


def _changes(params: Params, order: Record, values: dict[str, Json]) -> list[Change]:
    where = ("patients", params["patient"], "orders", params["order"])
    return replaced(where, order, values)


def _why(params: Params) -> dict[str, Json]:
    return {"changed_on": day(params["from_day"]), "change_reason": params["reason"]}


def _drug(document: Document, name: str, route: str, unit: str) -> Record:
    drug = entry(document, "formulary", name)
    if route not in drug["routes"]:
        raise CannotDo(f"The formulary has no {route} {name}.")
    if unit != drug["unit"]:
        raise CannotDo(f"The formulary measures {name} in {drug['unit']}, not in {unit}.")
    return drug


def _refuse_other_risk(name: str, drug: Record, *, high_risk: bool) -> None:
    if drug["high_risk"] and not high_risk:
        raise CannotDo(f"{name.capitalize()} is a high-risk drug; use an action made for those.")
    if high_risk and not drug["high_risk"]:
        raise CannotDo(f"{name.capitalize()} is not a high-risk drug; use the plain action.")


def _said(order: Record) -> str:
    dose = f"{order['dose']} {order['unit']}"
    return f"{dose} {order['route']} every {order['every_hours']} hours"
