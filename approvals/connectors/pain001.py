"""How does an order become a payment file for a bank, put down once and never over another?

The file is named by our key, complete before it has its name, and kept or moved by the bank's
gateway: `done` is what it took, `rejected` what it did not. Whether it is there can be looked up.

Source: ISO 20022 pain.001.001.09; ISO 13616 (IBAN); ISO 9362 (BIC); EPC217-08 (characters).
"""

import errno
import os
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from approvals.connectors import templates
from approvals.connectors.declaring import Declared, Table, action_of
from approvals.connectors.protocol import (
    CannotBuild,
    Finding,
    Listed,
    NotReached,
    Order,
    Outcome,
    Public,
    Receipt,
    RetryClass,
)
from approvals.connectors.statements import booked
from approvals.formats.accounts import has_right_digits
from approvals.formats.numbers import check_money
from console.canonical import Json
from console.ids import new_id
from console.reaching.connecting import left
from snapshots.pointer import NothingThere, get

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
PAYMENTS_AT_MOST = 999
NAME_AT_MOST, TEXT_AT_MOST = 70, 140
DONE, REJECTED = "done", "rejected"
# With these a folder refuses a name before it is given; any other error may come afterwards.
_NOT_DONE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.ENOENT, errno.EXDEV}
)
_KEY = re.compile(r"[0-9a-f]{32}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,12})(?:\.[0-9]{1,5})?", re.ASCII)
_ALLOWED = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+", re.ASCII)
_LETTERS = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ß": "ss",
    "æ": "ae",
    "ø": "oe",
    "å": "aa",
    "ł": "l",
    "&": "+",
}


def _folder(path: str) -> str:
    if not path.startswith("/") or not Path(path).is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


def _name(text: str) -> str:
    if not _ALLOWED.fullmatch(text) or len(text) > NAME_AT_MOST or not text.strip():
        raise ValueError(f"a name has at most {NAME_AT_MOST} letters that banks know")
    return text


def _iban(text: str) -> str:
    number = text.replace(" ", "")
    if not _IBAN.fullmatch(number) or not has_right_digits(number):
        raise ValueError(f"{text!a} is no IBAN: its check digits or form are wrong")
    return number


def _bic(text: str) -> str:
    if not _BIC.fullmatch(text):
        raise ValueError(f"{text!a} is no BIC")
    return text


def _template(text: str) -> str:
    if problem := templates.objection_to(text):
        raise ValueError(problem)
    return text


Template = Annotated[str, AfterValidator(_template)]
Folder = Annotated[str, AfterValidator(_folder)]


class Debtor(Table):
    """Whose account is charged."""

    name: Annotated[str, AfterValidator(_name)]
    iban: Annotated[str, AfterValidator(_iban)]
    bic: Annotated[str, AfterValidator(_bic)] | None = None


class Action(Table):
    """Where a payment's parts are found; with `each`, in every item of a list."""

    each: Annotated[str, Field(pattern=r"^/")] | None = None
    creditor: Template
    iban: Template
    bic: Template = ""
    amount: Template
    currency: Template
    text: Template = ""
    on: Template = ""


class Settings(Declared):
    """What is declared of a connector of kind `pain001`."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"keyed", "queryable"})

    kind: Literal["pain001"]
    folder: Folder
    statements: Folder | None = None
    debtor: Debtor
    service_level: Annotated[str, Field(pattern=r"^[A-Z]{4}$")] | None = None
    charges: Literal["SLEV", "SHAR", "DEBT", "CRED"] = "SLEV"
    transliterate: bool = False
    actions: dict[str, Action] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Payment:
    """One transfer, every part of it checked."""

    end_to_end_id: str
    creditor: str
    iban: str
    bic: str
    amount: str
    currency: str
    text: str


class Pain001:
    """One folder from which a bank's gateway takes files."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings."""
        self._settings = settings
        self._folder = Path(settings.folder)
        self._public = settings.public(
            name,
            f"file://{settings.folder}",
            actions=tuple(sorted(settings.actions)),
            can_ask=True,
            can_list=True,
            extra={"account": settings.debtor.iban},
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return the whole file."""
        if not _KEY.fullmatch(order.key):
            raise CannotBuild("A file is named by a key of 32 hex digits.")
        action = action_of(order, self._settings.actions, self._public.name)
        payments = self._payments(action, order)
        return _file(self._settings, order, payments, _day(action, order))

    def reach(self, order: Order, until: float) -> "_Line":
        """Open the folder."""
        return _Line(self._folder, self._opened(), order.key, until)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Look for the file."""
        try:
            where = _where(self._folder, order.key, body)
        except OSError as error:
            return Finding("unclear", detail=f"The folder cannot be read: {error.strerror}.")
        if where is None:
            return Finding("absent", detail="There is no file of this name.")
        return where

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Read the bank's statements where it gives some, else the folder itself."""
        try:
            if self._settings.statements is not None:
                yield from booked(Path(self._settings.statements), since, until)
            else:
                yield from _files(self._folder, since, until)
        except OSError as error:
            raise NotReached(f"The folder cannot be read: {error.strerror}.") from None

    def test(self, until: float) -> str:
        """Open the folder and see whether we may write there."""
        os.close(self._opened())
        return f"{self._settings.folder} is there, and we may write to it."

    def _opened(self) -> int:
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise NotReached(f"The folder cannot be opened: {error.strerror}.") from None
        if not os.access(self._folder, os.W_OK | os.X_OK):
            os.close(folder)
            raise NotReached("We may not write to the folder.")
        return folder

    def _payments(self, action: Action, order: Order) -> list[Payment]:
        values = templates.values_of(order)
        if action.each is None:
            return [self._payment(action, values, order.key)]
        try:
            items = get(values[""], action.each)
        except NothingThere:
            items = None
        if not isinstance(items, list) or not 0 < len(items) <= PAYMENTS_AT_MOST:
            raise CannotBuild(f"{action.each} is no list of 1 to {PAYMENTS_AT_MOST} payments.")
        return [
            self._payment(action, {**values, "": item}, f"{order.key}{place:03}")
            for place, item in enumerate(items, 1)
        ]

    def _payment(self, action: Action, values: Mapping[str, Json], key: str) -> Payment:
        currency = _matching(_CURRENCY, _said(action.currency, values), "currency")
        bic = _said(action.bic, values) if action.bic else ""
        text = _said(action.text, values) if action.text else ""
        try:
            iban = _iban(_said(action.iban, values).upper())
        except ValueError as error:
            raise CannotBuild(str(error)) from None
        return Payment(
            end_to_end_id=key,
            creditor=self._written(_said(action.creditor, values), NAME_AT_MOST, "creditor"),
            iban=iban,
            bic=_matching(_BIC, bic, "BIC") if bic else "",
            amount=_amount(templates.fill(action.amount, values), currency),
            currency=currency,
            text=self._written(text, TEXT_AT_MOST, "text") if text else "",
        )

    def _written(self, text: str, at_most: int, what: str) -> str:
        plain = _transliterated(text) if self._settings.transliterate else text
        if not _ALLOWED.fullmatch(plain) or plain != plain.strip() or len(plain) > at_most:
            raise CannotBuild(
                f"The {what} has letters that banks do not know, or more than {at_most}: {text!a}"
            )
        return plain


class _Line:
    """An open folder, into which one file is put."""

    def __init__(self, folder: Path, opened: int, key: str, until: float) -> None:
        self._folder, self._opened, self._key, self._until = folder, opened, key, until

    def send(self, body: bytes) -> Receipt:
        """Put the file down under its name, unless it is there or was."""
        temporary = self._folder / f".{self._key}.{new_id().hex}.part"
        try:
            self._clean()
            if known := _where(self._folder, self._key, body):
                return _as_receipt(known)
            _write(temporary, body)
            left(self._until)
        except OSError as error:
            return Receipt("refused", says=f"Nothing was put down: {_told(error)}.")
        else:
            return self._name(temporary, body)
        finally:
            with suppress(OSError):
                temporary.unlink()

    def _clean(self) -> None:
        """Take away what a process that was killed had begun to write; it never had its name."""
        for stale in self._folder.glob(f".{self._key}.*.part"):
            with suppress(OSError):
                stale.unlink()

    def _name(self, temporary: Path, body: bytes) -> Receipt:
        """Give the file its name; from here on it may have it, whatever goes wrong."""
        try:
            # Unlike a rename, a link takes no name that is taken.
            (self._folder / f"{self._key}.xml").hardlink_to(temporary)
        except OSError as error:
            return self._after(error, body)
        return self._kept()

    def _after(self, error: OSError, body: bytes) -> Receipt:
        """Say what an error means: a folder far away may have done what it says it has not."""
        try:
            known = _where(self._folder, self._key, body)
        except OSError:
            known = None
        if known is not None and known.says != "unclear":
            return _as_receipt(known)
        # A name that is taken, and by nobody now, may have been taken by this very file.
        is_another = error.errno == errno.EEXIST and known is not None
        if is_another or error.errno in _NOT_DONE:
            return Receipt("refused", says=f"Nothing was put down: {_told(error)}.")
        says = f"Nobody knows whether the file has its name: {_told(error)}."
        return Receipt("unknown", says=says)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._opened)

    def _kept(self) -> Receipt:
        name = f"{self._key}.xml"
        try:
            os.fsync(self._opened)
        except OSError as error:
            return Receipt("unknown", name, says=f"The folder was not kept: {_told(error)}.")
        return Receipt("acknowledged", name, says="The file is in the folder.")


def _write(temporary: Path, body: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o640), "wb") as writing:
        writing.write(body)
        writing.flush()
        os.fsync(writing.fileno())


def _where(folder: Path, key: str, body: bytes) -> Finding | None:
    """Say where the file of a key is, if anywhere.

    The folder first: what is moved meanwhile is moved to where we look next.
    """
    name = f"{key}.xml"
    for place in ("", DONE, REJECTED):
        try:
            there = (folder / place / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        reference = f"{place}/{name}" if place else name
        if there != body:
            return Finding("unclear", reference, "There is another file of this name.")
        if place == REJECTED:
            return Finding("refused", reference, "The bank's gateway rejected the file.")
        return Finding("executed", reference, f"The file is in {place or 'the folder'}.")
    return None


def _as_receipt(known: Finding) -> Receipt:
    outcome: Outcome = "acknowledged" if known.says == "executed" else "refused"
    return Receipt(outcome, known.reference, says=known.detail)


def _files(folder: Path, since: datetime, until: datetime) -> Iterator[Listed]:
    for place in ("", DONE):
        for path in sorted((folder / place).glob("*.xml")):
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if since <= at < until and path.is_file():
                yield Listed(path.stem[:200], f"{place}/{path.name}".lstrip("/")[:200], at)


def _file(settings: Settings, order: Order, payments: list[Payment], day: date) -> bytes:
    """Return the file; its parts stand in the order that the schema asks for."""
    document = ET.Element("Document", xmlns=NAMESPACE)
    whole = ET.SubElement(document, "CstmrCdtTrfInitn")
    count = str(len(payments))
    total = str(sum((Decimal(each.amount) for each in payments), Decimal(0)))
    head = ET.SubElement(whole, "GrpHdr")
    for name, text in [("MsgId", order.key), ("CreDtTm", templates.moment(order))]:
        _put(head, name, text)
    _sums(head, count, total)
    _put(head, "InitgPty/Nm", settings.debtor.name)
    batch = ET.SubElement(whole, "PmtInf")
    _put(batch, "PmtInfId", order.key)
    _put(batch, "PmtMtd", "TRF")
    _sums(batch, count, total)
    if settings.service_level:
        _put(batch, "PmtTpInf/SvcLvl/Cd", settings.service_level)
    _put(batch, "ReqdExctnDt/Dt", day.isoformat())
    _put(batch, "Dbtr/Nm", settings.debtor.name)
    _put(batch, "DbtrAcct/Id/IBAN", settings.debtor.iban)
    _agent(batch, "DbtrAgt", settings.debtor.bic or "")
    _put(batch, "ChrgBr", settings.charges)
    for payment in payments:
        _transfer(ET.SubElement(batch, "CdtTrfTxInf"), payment)
    written: bytes = ET.tostring(document, encoding="UTF-8", xml_declaration=True)
    return written


def _transfer(holder: ET.Element, payment: Payment) -> None:
    _put(holder, "PmtId/EndToEndId", payment.end_to_end_id)
    _put(holder, "Amt/InstdAmt", payment.amount).set("Ccy", payment.currency)
    if payment.bic:
        _agent(holder, "CdtrAgt", payment.bic)
    _put(holder, "Cdtr/Nm", payment.creditor)
    _put(holder, "CdtrAcct/Id/IBAN", payment.iban)
    if payment.text:
        _put(holder, "RmtInf/Ustrd", payment.text)


def _sums(holder: ET.Element, count: str, total: str) -> None:
    _put(holder, "NbOfTxs", count)
    _put(holder, "CtrlSum", total)


def _agent(holder: ET.Element, name: str, bic: str) -> None:
    if bic:
        _put(holder, f"{name}/FinInstnId/BICFI", bic)
    else:
        _put(holder, f"{name}/FinInstnId/Othr/Id", "NOTPROVIDED")


def _put(holder: ET.Element, path: str, text: str) -> ET.Element:
    for name in path.split("/"):
        holder = ET.SubElement(holder, name)
    holder.text = text
    return holder


def _day(action: Action, order: Order) -> date:
    if not action.on:
        return order.at.astimezone(UTC).date()
    text = _said(action.on, templates.values_of(order))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CannotBuild(f"{text!a} is no day such as 2026-03-02.") from None


def _said(template: str, values: Mapping[str, Json]) -> str:
    return templates.text(template, values)


def _matching(form: re.Pattern[str], text: str, what: str) -> str:
    if not form.fullmatch(text):
        raise CannotBuild(f"{text!a} is no {what}.")
    return text


def _amount(value: Json, currency: str) -> str:
    # A number would have been read as a double; what was approved is the text.
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or not Decimal(value):
        raise CannotBuild('An amount is a decimal text above zero, such as "48200.00".')
    if problem := check_money(Decimal(value), currency):
        raise CannotBuild(f"The amount is {problem}.")
    return value


def _transliterated(text: str) -> str:
    """Write letters as banks do without them; what has no such way stays, and is refused."""
    spelled = "".join(
        _LETTERS.get(each, _LETTERS.get(each.lower(), each).capitalize())
        if each.lower() in _LETTERS
        else each
        for each in unicodedata.normalize("NFC", text)
    )
    parts = unicodedata.normalize("NFD", spelled)
    return "".join(each for each in parts if not unicodedata.combining(each))


def _told(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
