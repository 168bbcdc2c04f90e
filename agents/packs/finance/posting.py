"""What happens when a ledger posting is corrected, and what speaks for it?"""

from decimal import Decimal

from agents.packs.finance.record import Record, entry, money, replaced, section
from approvals.effects import CannotDo, Check, Document, Measure, Params
from console.canonical import Json
from snapshots.diff import Change, apply

ASSETS = "0490"
# Section 6 (2) EStG: up to this net amount a thing that can be used alone is no asset.
ASSETS_FROM = Decimal(800)


def correct_posting(document: Document, params: Params) -> Json:
    """Reverse a posting and enter it again under another account; nothing is overwritten."""
    number, posting, account = _named(document, params)
    if posting["status"] != "posted":
        raise CannotDo(f"Posting {number} is {posting['status']} already.")
    if (posting["account"], posting["cost_centre"]) == (params["account"], params["cost_centre"]):
        raise CannotDo(f"Posting {number} is on account {params['account']} already.")
    if section(document, "periods").get(posting["period"]) != "open":
        raise CannotDo(f"Period {posting['period']} is closed; correct it in an open one.")
    back = {**posting, "amount": _negated(posting["amount"]), "status": "reversal"}
    again = {
        **posting,
        "account": params["account"],
        "account_name": account,
        "cost_centre": params["cost_centre"],
        "text": f"{posting['text']}: {params['reason']}"[:300],
    }
    return apply(
        document,
        [
            *replaced(("postings", number), posting, {"status": "reversed"}),
            Change("add", f"/postings/{number}-R", value=back),
            Change("add", f"/postings/{number}-C", value=again),
        ],
    )


def posting_checks(document: Document, params: Params) -> list[Check]:
    """Compute that nothing but the account moves, and that the amount belongs there."""
    number, posting, account = _named(document, params)
    currency = posting["currency"]
    before = _total(document, currency)
    after = _total(correct_posting(document, params), currency)
    is_asset, is_large = params["account"] == ASSETS, Decimal(posting["amount"]) > ASSETS_FROM
    return [
        Check(
            "The ledger's total stays the same",
            passed=before == after,
            sentence=f"It is {money(str(before), currency)} before and "
            f"{money(str(after), currency)} after.",
        ),
        Check(
            "Amount fits the account",
            passed=is_asset == is_large,
            sentence=f"{money(posting['amount'], currency)} net goes to “{account}”; "
            f"assets begin above {ASSETS_FROM}.",
        ),
        Check(
            "Cost centre stays the same",
            passed=params["cost_centre"] == posting["cost_centre"],
            sentence=f"{number} is on cost centre {posting['cost_centre']}.",
        ),
    ]


def posting_facts(document: Document, params: Params) -> dict[str, str]:
    """Name sum and accounts for the title."""
    _, posting, account = _named(document, params)
    return {
        "sum": money(posting["amount"], posting["currency"]),
        "from": f"{posting['account']} {posting['account_name']}",
        "to": f"{params['account']} {account}",
    }


def posting_measure(document: Document, params: Params) -> Measure:
    """Say how much is moved from one account to another."""
    number, posting, _ = _named(document, params)
    return Measure(Decimal(posting["amount"]), posting["currency"], subject=number)


def _named(document: Document, params: Params) -> tuple[str, Record, str]:
    number, account = params["posting"], params["account"]
    name = section(document, "accounts").get(account)
    if name is None:
        raise CannotDo(f"There is no account {account!r} in the chart of accounts.")
    return number, entry(document, "postings", number), str(name)


def _negated(amount: str) -> str:
    return str(-Decimal(amount))


def _total(document: Document, currency: str) -> Decimal:
    postings = section(document, "postings").values()
    amounts = (each["amount"] for each in postings if each["currency"] == currency)
    return sum(map(Decimal, amounts), Decimal(0))
