"""What happens when a payment is released or an invoice is held, and what speaks for it?"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from agents.packs.finance.record import Record, day, entry, money, replaced, section
from approvals.effects import CannotDo, Check, Document, Measure, Params
from approvals.formats.accounts import has_right_digits
from console.canonical import Json
from snapshots.diff import Change, apply


def release_payment(document: Document, params: Params) -> Json:
    """Mark the invoice as released and enter its payment to the vendor's account on record."""
    number, invoice, vendor = _parties(document, params)
    payment = f"PAY-{number}"
    if invoice["status"] != "open":
        raise CannotDo(f"Invoice {number} is {invoice['status']}, so it cannot be paid.")
    if payment in section(document, "payments"):
        raise CannotDo(f"Payment {payment} exists already.")
    if params["currency"] != invoice["currency"]:
        raise CannotDo(f"Invoice {number} is in {invoice['currency']}.")
    _refuse_another_payee(params, payee(vendor, invoice))
    entered: Json = {
        "invoice": number,
        "vendor": invoice["vendor"],
        "vendor_reference": invoice["vendor_reference"],
        "amount": params["amount"],
        "currency": params["currency"],
        "iban": vendor["bank"]["iban"],
        "value_date": day(params["value_date"]).isoformat(),
        "status": "released",
    }
    where = ("invoices", number)
    changes = replaced(where, invoice, {"status": "released", "payment": payment})
    return apply(document, [*changes, Change("add", f"/payments/{payment}", value=entered)])


def payee(vendor: Record, invoice: Record) -> dict[str, Json]:
    """Return whom a payment goes to, as a bank has to be told."""
    bank = vendor["bank"]
    return {
        "creditor": vendor["name"],
        "iban": bank["iban"],
        "bic": bank["bic"],
        "reference": invoice["vendor_reference"],
    }


def payment_checks(document: Document, params: Params) -> list[Check]:
    """Hold invoice, order, receipts, earlier payments and the vendor's record against it."""
    number, invoice, vendor = _parties(document, params)
    asked, due = Decimal(params["amount"]), day(invoice["due_date"])
    currency = invoice["currency"]
    order = section(document, "purchase_orders").get(invoice["purchase_order"])
    twin = _paid_before(document, number, invoice)
    iban = vendor["bank"]["iban"]
    return [
        Check(
            "Vendor is known and active",
            passed=vendor["status"] == "active",
            sentence=f"{vendor['name']} is {vendor['status']} in the vendor record.",
        ),
        Check(
            "Account number is well formed",
            passed=has_right_digits(iban),
            sentence=f"The check digits of {iban}, the account on record, were computed.",
        ),
        Check(
            "Amount equals the invoice",
            passed=asked == Decimal(invoice["amount"]),
            sentence=f"Invoice {number} is over {money(invoice['amount'], currency)}, "
            f"the payment over {money(params['amount'], currency)}.",
        ),
        _order_check(asked, currency, invoice["purchase_order"], order),
        _receipt_check(document, invoice["purchase_order"], order),
        Check(
            "Not paid before",
            passed=twin is None,
            sentence=f"Payment {twin} looks like the same invoice."
            if twin
            else "No payment to this vendor has this reference, or this amount.",
        ),
        Check(
            "Paid by the due date",
            passed=day(params["value_date"]) <= due,
            sentence=f"The invoice is due on {due.isoformat()}.",
        ),
    ]


def payment_facts(document: Document, params: Params) -> dict[str, str]:
    """Name vendor and sum for the title."""
    _, _, vendor = _parties(document, params)
    return {"vendor_name": vendor["name"], "sum": money(params["amount"], params["currency"])}


def payment_measure(document: Document, params: Params) -> Measure:
    """Say how much goes to which vendor, for which invoice."""
    number, invoice, _ = _parties(document, params)
    return Measure(Decimal(params["amount"]), params["currency"], invoice["vendor"], number)


def recall_payment(document: Document, params: Params) -> Json:
    """Note that a payment is asked back from the vendor's bank; the vendor has to agree."""
    number, invoice, vendor = _parties(document, params)
    payment, recalls = f"PAY-{number}", document.get("recalls")
    if isinstance(recalls, dict) and payment in recalls:
        raise CannotDo(f"Payment {payment} was recalled before.")
    if params["currency"] != invoice["currency"]:
        raise CannotDo(f"Invoice {number} is in {invoice['currency']}.")
    entered: Json = {
        "invoice": number,
        "vendor": invoice["vendor"],
        "amount": params["amount"],
        "currency": params["currency"],
        "iban": vendor["bank"]["iban"],
        "bank_reference": params["bank_reference"],
        "execution": params["execution"],
        "status": "asked",
    }
    if isinstance(recalls, dict):
        return apply(document, [Change("add", f"/recalls/{payment}", value=entered)])
    return apply(document, [Change("add", "/recalls", value={payment: entered})])


def recall_checks(document: Document, params: Params) -> list[Check]:
    """Say whether the record is without the payment, and whether all of it is asked back."""
    number, invoice, _ = _parties(document, params)
    return [
        Check(
            "The record does not hold the payment",
            passed=f"PAY-{number}" not in section(document, "payments"),
            sentence=f"The payments list was searched for invoice {number}.",
        ),
        Check(
            "Amount equals the invoice",
            passed=Decimal(params["amount"]) == Decimal(invoice["amount"]),
            sentence=f"Invoice {number} is over {money(invoice['amount'], invoice['currency'])}, "
            f"the recall over {money(params['amount'], params['currency'])}.",
        ),
    ]


def hold_invoice(document: Document, params: Params) -> Json:
    """Keep an open invoice out of payment runs, with the reason."""
    number, invoice, _ = _parties(document, params)
    if invoice["status"] != "open":
        raise CannotDo(f"Invoice {number} is {invoice['status']}; only open ones can be held.")
    values: dict[str, Json] = {"status": "on_hold", "hold_reason": params["reason"]}
    return apply(document, replaced(("invoices", number), invoice, values))


def hold_checks(document: Document, params: Params) -> list[Check]:
    """Say whether a payment is on its way, and whether an earlier one looks alike."""
    number, invoice, _ = _parties(document, params)
    twin = _paid_before(document, number, invoice)
    return [
        Check(
            "No payment is on its way",
            passed=f"PAY-{number}" not in section(document, "payments"),
            sentence=f"The payments list was searched for invoice {number}.",
        ),
        Check(
            "An earlier payment looks alike",
            passed=twin is not None,
            sentence=f"Payment {twin} has the same vendor and amount."
            if twin
            else "No earlier payment to this vendor has this amount.",
        ),
    ]


def hold_facts(document: Document, params: Params) -> dict[str, str]:
    """Name vendor and sum for the title."""
    _, invoice, vendor = _parties(document, params)
    return {"vendor_name": vendor["name"], "sum": money(invoice["amount"], invoice["currency"])}


def hold_measure(document: Document, params: Params) -> Measure:
    """Say whose invoice is held; no money moves."""
    number, invoice, _ = _parties(document, params)
    return Measure(counterparty=invoice["vendor"], subject=number)


def _parties(document: Document, params: Params) -> tuple[str, Record, Record]:
    number = params["invoice"]
    invoice = entry(document, "invoices", number)
    return number, invoice, entry(document, "vendors", invoice["vendor"])


def _refuse_another_payee(params: Params, on_record: dict[str, Json]) -> None:
    """Let through a payment that names nobody, or whoever the record names. Raises: CannotDo."""
    others = [name for name, value in on_record.items() if params.get(name, value) != value]
    if others:
        raise CannotDo(f"The vendor's record has another {' and another '.join(others)}.")


def _order_check(asked: Decimal, currency: str, number: str, order: Any) -> Check:
    name = "Amount equals the purchase order"
    if order is None:
        return Check(name, passed=False, sentence=f"There is no purchase order {number}.")
    agrees = (asked, currency) == (Decimal(order["total"]), order["currency"])
    ordered = money(order["total"], order["currency"])
    sentence = f"{number} is over {ordered}, the payment over {money(str(asked), currency)}."
    return Check(name, passed=agrees, sentence=sentence)


def _receipt_check(document: Document, number: str, order: Any) -> Check:
    ordered = {line["line"]: line["quantity"] for line in order["lines"]} if order else {}
    received = dict.fromkeys(ordered, 0)
    for line in _received(document, number):
        received[line["line"]] = received.get(line["line"], 0) + line["quantity"]
    came, wanted = sum(received.values()), sum(ordered.values())
    return Check(
        "All goods were received",
        passed=bool(ordered) and received == ordered,
        sentence=f"{came} of {wanted} ordered under {number} were received.",
    )


def _received(document: Document, order: str) -> Iterator[Record]:
    for receipt in section(document, "goods_receipts").values():
        if receipt["purchase_order"] == order:
            yield from receipt["lines"]


def _paid_before(document: Document, number: str, invoice: Record) -> str | None:
    """Find a payment to the vendor with the same reference or amount, but of another invoice."""
    for payment, paid in section(document, "payments").items():
        same_sum = (paid["amount"], paid["currency"]) == (invoice["amount"], invoice["currency"])
        same_reference = _bare(paid["vendor_reference"]) == _bare(invoice["vendor_reference"])
        is_other = paid["invoice"] != number
        if is_other and paid["vendor"] == invoice["vendor"] and (same_sum or same_reference):
            return str(payment)
    return None


def _bare(reference: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", reference.upper())
