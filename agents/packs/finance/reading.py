"""What can be looked up in the accounts payable record, and by which tool?"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from agents.declarations import Tool
from agents.packs.errands import found
from agents.packs.finance.record import Record, entry, mail
from agents.toolmaking import tool

Number = Annotated[str, Field(min_length=1, max_length=40)]


@tool
def read_mailbox(record: Any, message: Number) -> Record:
    """Return one message of the mailbox, such as M-0702: sender, day, subject and text."""
    return found(lambda: mail(record, message))


@tool
def look_up_vendor(record: Any, vendor: Number) -> Record:
    """Return a vendor's master record, such as V-1004: contact, bank and terms of payment."""
    return _entry(record, "vendors", vendor)


@tool
def look_up_invoice(record: Any, invoice: Number) -> Record:
    """Return an invoice by our own number, such as R-2601."""
    return _entry(record, "invoices", invoice)


@tool
def look_up_purchase_order(record: Any, purchase_order: Number) -> Record:
    """Return a purchase order with its lines, such as PO-879."""
    return _entry(record, "purchase_orders", purchase_order)


@tool
def look_up_goods_receipt(record: Any, goods_receipt: Number) -> Record:
    """Return what was received under an order, such as GR-5601."""
    return _entry(record, "goods_receipts", goods_receipt)


@tool
def look_up_payment(record: Any, payment: Number) -> Record:
    """Return a payment that was made or is on its way, such as PAY-R-2547."""
    return _entry(record, "payments", payment)


@tool
def look_up_posting(record: Any, posting: Number) -> Record:
    """Return a posting of the ledger, such as B-10431."""
    return _entry(record, "postings", posting)


# What the script calls a kind of paper, and the tool that reads it.
READS: Mapping[str, Tool] = {
    "message": read_mailbox,
    "vendor": look_up_vendor,
    "invoice": look_up_invoice,
    "purchase_order": look_up_purchase_order,
    "goods_receipt": look_up_goods_receipt,
    "payment": look_up_payment,
    "posting": look_up_posting,
}


def _entry(record: Any, part: str, key: str) -> Record:
    return found(lambda: entry(record, part, key))
