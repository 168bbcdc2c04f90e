"""Which papers speak for which of the changed values, and what do they say?"""

from collections.abc import Iterator
from typing import Any

from agents.workflows import Exhibit

# Action type and kind of paper, to the pointers that a row of the diff will have.
_SPEAKS_FOR: dict[tuple[str, str], tuple[str, ...]] = {
    ("change_bank_details", "message"): (
        "/vendors/{vendor}/bank/iban",
        "/vendors/{vendor}/bank/bic",
        "/vendors/{vendor}/bank/since",
        "/vendors/{vendor}/bank/requested_in",
    ),
    ("change_bank_details", "vendor"): ("/vendors/{vendor}/bank/iban",),
    ("release_payment", "message"): ("/payments/PAY-{invoice}/amount",),
    ("release_payment", "invoice"): (
        "/payments/PAY-{invoice}/amount",
        "/payments/PAY-{invoice}/currency",
        "/payments/PAY-{invoice}/vendor_reference",
        "/payments/PAY-{invoice}/value_date",
    ),
    ("release_payment", "vendor"): (
        "/payments/PAY-{invoice}/iban",
        "/payments/PAY-{invoice}/vendor",
    ),
    ("release_payment", "purchase_order"): ("/payments/PAY-{invoice}/amount",),
    ("release_payment", "goods_receipt"): ("/invoices/{invoice}/status",),
    ("correct_posting", "message"): (
        "/postings/{posting}-C/account",
        "/postings/{posting}-C/cost_centre",
    ),
    ("correct_posting", "posting"): ("/postings/{posting}-R/amount",),
    ("correct_posting", "purchase_order"): ("/postings/{posting}-C/text",),
    ("set_payment_terms", "message"): (
        "/vendors/{vendor}/terms/days",
        "/vendors/{vendor}/terms/discount_percent",
        "/vendors/{vendor}/terms/discount_days",
        "/vendors/{vendor}/terms/since",
    ),
    ("hold_invoice", "message"): ("/invoices/{invoice}/hold_reason",),
    ("hold_invoice", "invoice"): ("/invoices/{invoice}/status",),
    ("hold_invoice", "payment"): ("/invoices/{invoice}/hold_reason",),
}
_LABELS = {
    "message": "E-mail",
    "vendor": "Vendor record",
    "invoice": "Invoice",
    "purchase_order": "Purchase order",
    "goods_receipt": "Goods receipt",
    "payment": "Earlier payment",
    "posting": "Ledger posting",
}


def exhibit(
    action_type: str, params: dict[str, Any], kind: str, key: str, paper: dict[str, Any]
) -> Exhibit:
    """Return a paper as evidence, word for word, with the values it speaks for."""
    paths = _SPEAKS_FOR.get((action_type, kind), ())
    return Exhibit(
        label=f"{_LABELS[kind]} {key}",
        source=f"{kind}:{key}",
        content=_letter(paper) if kind == "message" else "\n".join(_lines(paper)),
        paths=tuple(path.format_map(params) for path in paths),
    )


def _letter(message: dict[str, Any]) -> str:
    head = [f"{name.capitalize()}: {message[name]}" for name in ("from", "to", "date", "subject")]
    return "\n".join([*head, "", message["body"]])


def _lines(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _lines(part, f"{name}, {_worded(key)}" if name else _worded(key))
    elif isinstance(value, list):
        for number, part in enumerate(value, start=1):
            yield from _lines(part, f"{name} {number}")
    else:
        yield f"{name}: {value}"


def _worded(key: str) -> str:
    return key.replace("_", " ")
