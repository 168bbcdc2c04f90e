"""What happens when a vendor's record is changed, and what speaks for it?"""

from agents.packs.finance.record import Record, day, entry, mail, replaced, section
from approvals.effects import CannotDo, Check, Document, Measure, Params
from approvals.formats.accounts import has_right_digits
from console.canonical import Json
from snapshots.diff import apply

QUIET_DAYS = 7
LONGEST_TERM_DAYS = 60


def change_bank_details(document: Document, params: Params) -> Json:
    """Put another account into the vendor's record, and in which message it was asked for."""
    number, bank = params["vendor"], entry(document, "vendors", params["vendor"])["bank"]
    mail(document, params["message"])
    if params["iban"] == bank["iban"]:
        raise CannotDo(f"{params['iban']} is the account of {number} already.")
    values: dict[str, Json] = {
        "name": params["bank"],
        "iban": params["iban"],
        "bic": params["bic"],
        "since": day(params["valid_from"]).isoformat(),
        "requested_in": f"Message {params['message']}",
    }
    return apply(document, replaced(("vendors", number, "bank"), bank, values))


def bank_checks(document: Document, params: Params) -> list[Check]:
    """Hold the new account against its own digits, other vendors, the message and due dates."""
    number, vendor = params["vendor"], entry(document, "vendors", params["vendor"])
    message, iban = mail(document, params["message"]), params["iban"]
    others = [
        each["name"]
        for key, each in section(document, "vendors").items()
        if key != number and each["bank"]["iban"] == iban
    ]
    return [
        Check(
            "Vendor is known and active",
            passed=vendor["status"] == "active",
            sentence=f"{vendor['name']} is {vendor['status']} in the vendor record.",
        ),
        Check(
            "New account number is well formed",
            passed=has_right_digits(iban),
            sentence=f"The check digits of {iban} were computed.",
        ),
        Check(
            "New account belongs to no other vendor",
            passed=not others,
            sentence=f"It is also the account of {others[0]}."
            if others
            else "No other vendor is paid to it.",
        ),
        Check(
            "The request quotes our customer number",
            passed=vendor["customer_number"] in message["subject"] + message["body"],
            sentence=f"{message['id']} was searched for {vendor['customer_number']}.",
        ),
        Check(
            "The request writes the account number like this",
            passed=iban in "".join(message["body"].split()),
            sentence=f"{message['id']} was searched for {iban}.",
        ),
        _quiet_check(document, number, message),
    ]


def bank_facts(document: Document, params: Params) -> dict[str, str]:
    """Name vendor and account for the title."""
    iban = params["iban"]
    groups = [iban[i : i + 4] for i in range(0, len(iban), 4)]
    return {"vendor_name": _name(document, params), "account": " ".join(groups)}


def set_payment_terms(document: Document, params: Params) -> Json:
    """Give the vendor other terms of payment; due dates of open invoices stay."""
    number, terms = params["vendor"], entry(document, "vendors", params["vendor"])["terms"]
    mail(document, params["message"])
    if params["discount_days"] > params["days"]:
        raise CannotDo("A discount cannot last longer than the term itself.")
    values: dict[str, Json] = {
        "days": params["days"],
        "discount_percent": params["discount_percent"],
        "discount_days": params["discount_days"],
        "since": day(params["valid_from"]).isoformat(),
    }
    changes = replaced(("vendors", number, "terms"), terms, values)
    if not changes:
        raise CannotDo(f"{number} has these terms already.")
    return apply(document, changes)


def terms_checks(document: Document, params: Params) -> list[Check]:
    """Hold the terms against the law's limit and the message that asks for them."""
    vendor = entry(document, "vendors", params["vendor"])
    message, days = mail(document, params["message"]), params["days"]
    return [
        Check(
            f"At most {LONGEST_TERM_DAYS} days",
            passed=days <= LONGEST_TERM_DAYS,
            sentence=f"The term is {days} days; EU law allows {LONGEST_TERM_DAYS} by default.",
        ),
        Check(
            "The message quotes our customer number",
            passed=vendor["customer_number"] in message["subject"] + message["body"],
            sentence=f"{message['id']} was searched for {vendor['customer_number']}.",
        ),
        Check(
            "The message states the term",
            passed=f"{days} days" in message["body"],
            sentence=f"{message['id']} was searched for “{days} days”.",
        ),
    ]


def terms_facts(document: Document, params: Params) -> dict[str, str]:
    """Name the vendor for the title."""
    return {"vendor_name": _name(document, params)}


def vendor_measure(_document: Document, params: Params) -> Measure:
    """Say which vendor it is about; no money moves."""
    return Measure(counterparty=params["vendor"], subject=params["vendor"])


def _name(document: Document, params: Params) -> str:
    return str(entry(document, "vendors", params["vendor"])["name"])


def _quiet_check(document: Document, vendor: str, message: Record) -> Check:
    """Say whether the vendor is to be paid so soon that nobody would notice in time."""
    sent = day(message["date"])
    soon = [
        number
        for number, invoice in section(document, "invoices").items()
        if _is_open_for(invoice, vendor) and (day(invoice["due_date"]) - sent).days <= QUIET_DAYS
    ]
    around = f"within {QUIET_DAYS} days of {sent.isoformat()}"
    return Check(
        f"Nothing is due within {QUIET_DAYS} days of the request",
        passed=not soon,
        sentence=f"{soon[0] if soon else 'No open invoice of this vendor'} is due {around}.",
    )


def _is_open_for(invoice: Record, vendor: str) -> bool:
    return (invoice["vendor"], invoice["status"]) == (vendor, "open")
