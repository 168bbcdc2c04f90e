"""What may be proposed in accounts payable, how is it shown, and who must agree?"""

from typing import Any

from agents.packs.finance import keeping, paying, posting
from approvals.effects import Effect
from approvals.fields import Field
from approvals.operations.registering import ActionTypeSpec
from approvals.policy import Limit, Terms, Threshold
from approvals.rulebook import Rule
from approvals.starters import Starter


def _written(pattern: str) -> dict[str, Any]:
    """Describe text that is nothing but the pattern; a bare `$` would let a line break pass."""
    return {"type": "string", "pattern": f"^(?:{pattern})$(?!\\n)"}


KEY = {"type": "string", "minLength": 1, "maxLength": 40}
TEXT = {"type": "string", "minLength": 1, "maxLength": 300}
DAY = _written("20[0-9]{2}-[0-9]{2}-[0-9]{2}")
AMOUNT = {**_written(r"(0|[1-9][0-9]{0,11})\.[0-9]{2}"), "not": {"const": "0.00"}}
CURRENCY = _written("[A-Z]{3}")
IBAN = _written("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
BIC = _written("[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
PERCENT = _written(r"[0-9]{1,2}\.[0-9]{2}")
DAYS = {"type": "integer", "minimum": 0, "maximum": 365}
# Ten banking days: how long a bank takes a SEPA recall of the payer (EPC125-05).
RECALL_SECONDS = 14 * 86_400

EFFECTS = {
    "finance.release_payment": Effect(
        paying.release_payment,
        paying.payment_checks,
        paying.payment_facts,
        paying.payment_measure,
    ),
    "finance.recall_payment": Effect(
        paying.recall_payment,
        paying.recall_checks,
        paying.payment_facts,
        paying.payment_measure,
    ),
    "finance.hold_invoice": Effect(
        paying.hold_invoice, paying.hold_checks, paying.hold_facts, paying.hold_measure
    ),
    "finance.change_bank_details": Effect(
        keeping.change_bank_details,
        keeping.bank_checks,
        keeping.bank_facts,
        keeping.vendor_measure,
    ),
    "finance.set_payment_terms": Effect(
        keeping.set_payment_terms,
        keeping.terms_checks,
        keeping.terms_facts,
        keeping.vendor_measure,
    ),
    "finance.correct_posting": Effect(
        posting.correct_posting,
        posting.posting_checks,
        posting.posting_facts,
        posting.posting_measure,
    ),
}


def _params(also: dict[str, Any] | None = None, /, **properties: Any) -> dict[str, Any]:
    """Describe parameters that are all needed, and `also` some that may be left out."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(properties),
        "properties": {**properties, **(also or {})},
    }


# Whom a payment goes to, as a bank has to be told. Where it stands, it is what people agree to.
PAYEE = {"creditor": TEXT, "iban": IBAN, "bic": BIC, "reference": KEY}


INVOICE_FIELDS = (
    Field("/invoices/*/status", "Invoice status", "enum", group="Invoice"),
    Field("/invoices/*/payment", "Payment of the invoice", "text", group="Invoice"),
    Field("/invoices/*/hold_reason", "Reason for the hold", "text", group="Invoice"),
)
PAYMENT_FIELDS = (
    Field("/payments/*/amount", "Amount", "money", "../currency", "Payment", risk=2),
    Field("/payments/*/currency", "Currency", "enum", group="Payment"),
    Field("/payments/*/iban", "Paid to account", "iban", group="Payee", risk=3),
    Field("/payments/*/vendor", "Vendor", "text", group="Payee"),
    Field("/payments/*/vendor_reference", "Vendor's invoice number", "text", group="Payee"),
    Field("/payments/*/invoice", "Our invoice number", "text", group="Payment"),
    Field("/payments/*/value_date", "Value date", "date", group="Timing"),
    Field("/payments/*/status", "Payment status", "enum", group="Payment"),
)
RECALL_FIELDS = (
    Field("/recalls/*/amount", "Amount", "money", "../currency", "Recall", risk=2),
    Field("/recalls/*/currency", "Currency", "enum", group="Recall"),
    Field("/recalls/*/iban", "Paid to account", "iban", group="Payee"),
    Field("/recalls/*/vendor", "Vendor", "text", group="Payee"),
    Field("/recalls/*/invoice", "Our invoice number", "text", group="Recall"),
    Field("/recalls/*/bank_reference", "The bank's reference", "text", group="Recall"),
    Field("/recalls/*/execution", "Our reference", "text", group="Recall"),
    Field("/recalls/*/status", "Status of the recall", "enum", group="Recall"),
)
BANK_FIELDS = (
    Field("/vendors/*/bank/iban", "Account number (IBAN)", "iban", group="Bank", risk=3),
    Field("/vendors/*/bank/bic", "Bank code (BIC)", "account", group="Bank", risk=2),
    Field("/vendors/*/bank/name", "Bank", "text", group="Bank"),
    Field("/vendors/*/bank/since", "Used from", "date", group="Timing"),
    Field("/vendors/*/bank/requested_in", "Asked for in", "text", group="Origin"),
)
TERMS_FIELDS = (
    Field("/vendors/*/terms/days", "Days to pay", "integer", "days", "Terms", risk=1),
    Field("/vendors/*/terms/discount_percent", "Discount", "decimal", "%", "Terms"),
    Field("/vendors/*/terms/discount_days", "Discount if paid in", "integer", "days", "Terms"),
    Field("/vendors/*/terms/since", "Valid from", "date", group="Timing"),
)
POSTING_FIELDS = (
    Field("/postings/*/amount", "Amount", "money", "../currency", "Posting", risk=1),
    Field("/postings/*/currency", "Currency", "enum", group="Posting"),
    Field("/postings/*/account", "Account", "text", group="Posting"),
    Field("/postings/*/account_name", "Account name", "text", group="Posting"),
    Field("/postings/*/cost_centre", "Cost centre", "text", group="Posting"),
    Field("/postings/*/period", "Period", "text", group="Timing"),
    Field("/postings/*/invoice", "Invoice", "text", group="Posting"),
    Field("/postings/*/text", "Text", "text", group="Posting"),
    Field("/postings/*/status", "Status", "enum", group="Posting"),
)

ACTION_TYPES: tuple[ActionTypeSpec, ...] = (
    ActionTypeSpec(
        name="release_payment",
        label="Release a payment",
        sentence="Pay {sum} to {vendor_name} for invoice {invoice}",
        params_schema=_params(PAYEE, invoice=KEY, amount=AMOUNT, currency=CURRENCY, value_date=DAY),
        effect="finance.release_payment",
        fields=(*PAYMENT_FIELDS, *INVOICE_FIELDS),
        risk=2,
        reversibility="Can be stopped until the value date; after that only the vendor can refund.",
        leaves_house=True,
        compensation={
            "action_type": "recall_payment",
            "params": {
                "invoice": "/invoice",
                "amount": "/amount",
                "currency": "/currency",
                "bank_reference": "{{reference}}",
                "execution": "{{execution}}",
            },
            "within_seconds": RECALL_SECONDS,
        },
    ),
    ActionTypeSpec(
        name="recall_payment",
        label="Recall a payment",
        sentence="Ask back {sum} paid to {vendor_name} for invoice {invoice}",
        params_schema=_params(
            invoice=KEY,
            amount=AMOUNT,
            currency=CURRENCY,
            bank_reference={"type": "string", "maxLength": 200},
            execution=KEY,
        ),
        effect="finance.recall_payment",
        fields=RECALL_FIELDS,
        risk=2,
        reversibility="A recall cannot be taken back; the vendor may refuse it.",
        leaves_house=True,
    ),
    ActionTypeSpec(
        name="change_bank_details",
        label="Change a vendor's bank details",
        sentence="Change the account of {vendor_name} to {account}",
        params_schema=_params(
            vendor=KEY, iban=IBAN, bic=BIC, bank=TEXT, valid_from=DAY, message=KEY
        ),
        effect="finance.change_bank_details",
        fields=BANK_FIELDS,
        risk=3,
        reversibility="The record can be changed back; money paid meanwhile is gone.",
    ),
    ActionTypeSpec(
        name="correct_posting",
        label="Correct a ledger posting",
        sentence="Move {sum} ({posting}) from {from} to {to}",
        params_schema=_params(posting=KEY, account=KEY, cost_centre=KEY, reason=TEXT),
        effect="finance.correct_posting",
        fields=POSTING_FIELDS,
        risk=1,
        reversibility="Can be corrected again while the period is open.",
    ),
    ActionTypeSpec(
        name="set_payment_terms",
        label="Set a vendor's payment terms",
        sentence="Let {vendor_name} be paid in {days} days from {valid_from}",
        params_schema=_params(
            vendor=KEY,
            days=DAYS,
            discount_percent=PERCENT,
            discount_days=DAYS,
            valid_from=DAY,
            message=KEY,
        ),
        effect="finance.set_payment_terms",
        fields=TERMS_FIELDS,
        risk=1,
        reversibility="Can be set back at any time; open invoices keep their due dates.",
    ),
    ActionTypeSpec(
        name="hold_invoice",
        label="Put an invoice on hold",
        sentence="Hold invoice {invoice} of {vendor_name} over {sum}",
        params_schema=_params(invoice=KEY, reason=TEXT),
        effect="finance.hold_invoice",
        fields=INVOICE_FIELDS,
        risk=1,
        reversibility="Can be lifted at any time; a late payment may cost interest.",
    ),
)

_HOUR = 3600
_DAY = 24 * _HOUR
_TWO = Threshold(approve=2)
# Somebody who also audits does not take part where one alone may agree.
_AN_ADMIN = Threshold(approve=1, roles=("admin",), filter='!("auditor" in reviewer.roles)')
_ADMINS = (Threshold(approve=2, roles=("admin",)),)
POLICIES = (
    Rule(
        match='action == "release_payment" && failed_checks == 0 && !tainted\n'
        '  && currency == "EUR" && amount <= 1500.0',
        terms=Terms(
            policy="Small payments by themselves?",
            version=1,
            level=0,
            thresholds=(),
            expires_seconds=72 * _HOUR,
            hold_seconds=10,
            sample=0.1,
        ),
        mode="shadow",
        note="Scored against what people decide; it does nothing until it is put in force.",
    ),
    Rule(
        match='action == "change_bank_details" && failed_checks > 1',
        terms=Terms(
            policy="Bank details that failed several checks: signed by two",
            version=1,
            level=3,
            thresholds=(_TWO,),
            expires_seconds=48 * _HOUR,
            then="escalate",
            escalate_to=_ADMINS,
            escalate_seconds=24 * _HOUR,
        ),
    ),
    Rule(
        match='action == "change_bank_details"',
        terms=Terms(
            policy="Bank details: two people",
            version=1,
            level=2,
            thresholds=(_TWO,),
            expires_seconds=48 * _HOUR,
            then="escalate",
            escalate_to=_ADMINS,
            escalate_seconds=24 * _HOUR,
        ),
    ),
    Rule(
        match='action == "release_payment" && amount >= 20000.0',
        terms=Terms(
            policy="Large payments: two people, or one admin",
            version=1,
            level=2,
            thresholds=(_TWO, _AN_ADMIN),
            expires_seconds=72 * _HOUR,
            hold_seconds=10,
            limits=(Limit(("counterparty",), "250000.00", "EUR", 30 * _DAY, "deny"),),
        ),
    ),
    Rule(
        match='action == "release_payment"',
        terms=Terms(
            policy="Payments: one person, ten seconds to recall",
            version=1,
            level=1,
            thresholds=(Threshold(approve=1),),
            expires_seconds=72 * _HOUR,
            hold_seconds=10,
            then="escalate",
            escalate_to=(Threshold(approve=1, roles=("admin",)),),
            escalate_seconds=24 * _HOUR,
            # A large payment in parts is still a large payment.
            limits=(Limit(("counterparty",), "20000.00", "EUR", 7 * _DAY, "raise", 2, (_TWO,)),),
        ),
    ),
    Rule(
        match='action in ["correct_posting", "set_payment_terms", "hold_invoice"]',
        terms=Terms(
            policy="Bookkeeping: one person",
            version=1,
            level=1,
            thresholds=(Threshold(approve=1),),
            expires_seconds=168 * _HOUR,
        ),
    ),
)
STARTER = Starter(
    key="finance",
    label="Accounts payable",
    text="Two people for bank details and large payments, signed where checks failed; small "
    "payments are watched from the shadow.",
    rules=POLICIES,
)
