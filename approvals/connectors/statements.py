"""What does a bank say that it booked? Read from the statements that it puts into a folder.

Source: ISO 20022 camt.053 and camt.054, versions 2 to 8: only booked debits that carry an
end-to-end reference, which for our own payments begins with our key.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

from approvals.connectors.protocol import Listed, NotReached

FILE_AT_MOST = 20_000_000
NOT_PROVIDED = "NOTPROVIDED"
_NAMESPACE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.05[34]\.001\.[0-9]{2}\}Document")
_OURS = re.compile(r"([0-9a-f]{32})([0-9]{3})?")


def booked(folder: Path, since: datetime, until: datetime) -> Iterator[Listed]:
    """Return what was booked in a time, by its day where no more is said. Raises: NotReached."""
    for path in sorted(folder.glob("*.xml")):
        yield from (line for line in lines(path) if _is_within(line.at, since, until))


def lines(path: Path) -> Iterator[Listed]:
    """Return the booked debits of one statement. Raises: NotReached, OSError."""
    if path.stat().st_size > FILE_AT_MOST:
        raise NotReached(f"{path.name} has more than {FILE_AT_MOST} bytes.")
    root = _read(path)
    if not _NAMESPACE.fullmatch(root.tag):
        return
    for statement in root.iterfind("{*}*/{*}*"):
        for entry in statement.iterfind("{*}Ntry"):
            if _is_booked_debit(entry):
                # A notice may leave the day to the time at which it was written.
                told = _text(statement, "{*}CreDtTm")
                yield from _listed(entry, _booked_at(entry, told, path))


def _read(path: Path) -> ET.Element:
    parser = ET.XMLParser(target=_NoEntities())  # noqa: S314  (a type of document is refused)
    try:
        parser.feed(path.read_bytes())
        root: ET.Element = parser.close()
    except ET.ParseError:
        raise NotReached(f"{path.name} cannot be read as XML.") from None
    return root


class _NoEntities(ET.TreeBuilder):
    """Builds a tree, and stops at a DOCTYPE: where none is declared, no entity is expanded."""

    def doctype(self, *_said: object) -> None:
        """Refuse."""
        raise NotReached("A statement declares a type of document, which banks do not.")


def _is_booked_debit(entry: ET.Element) -> bool:
    status = _text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")
    is_reversal = _text(entry, "{*}RvslInd") in {"true", "1"}
    return status == "BOOK" and _text(entry, "{*}CdtDbtInd") == "DBIT" and not is_reversal


def _listed(entry: ET.Element, at: datetime) -> Iterator[Listed]:
    for detail in entry.iterfind("{*}NtryDtls/{*}TxDtls"):
        end_to_end = _text(detail, "{*}Refs/{*}EndToEndId")
        if not end_to_end or end_to_end == NOT_PROVIDED:
            continue
        ours = _OURS.fullmatch(end_to_end)
        reference = (
            _text(detail, "{*}Refs/{*}AcctSvcrRef")
            or _text(entry, "{*}AcctSvcrRef")
            or _text(entry, "{*}NtryRef")
            or end_to_end
        )
        key = ours[1] if ours else end_to_end
        yield Listed(key, reference[:200], at, _amount(detail, entry))


def _amount(detail: ET.Element, entry: ET.Element) -> str:
    for holder, path in (
        (detail, "{*}AmtDtls/{*}TxAmt/{*}Amt"),
        (detail, "{*}Amt"),
        (entry, "{*}Amt"),
    ):
        found = holder.find(path)
        if found is not None and found.text:
            return f"{found.get('Ccy', '')} {found.text.strip()}".strip()[:200]
    return ""


def _booked_at(entry: ET.Element, told: str, path: Path) -> datetime:
    for place in ("BookgDt", "ValDt"):
        for form in ("DtTm", "Dt"):
            if text := _text(entry, f"{{*}}{place}/{{*}}{form}"):
                return _time(text, path)
    return _time(told, path)


def _time(text: str, path: Path) -> datetime:
    try:
        # A day may carry the zone of its bank, as in 2026-03-02+01:00.
        at = datetime.fromisoformat(text) if "T" in text else _day(text)
    except ValueError:
        raise NotReached(f"An entry of {path.name} has no date that can be read.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text[:10]), time(), UTC)


def _is_within(at: datetime, since: datetime, until: datetime) -> bool:
    if at.astimezone(UTC).time() == time():
        return since.astimezone(UTC).date() <= at.astimezone(UTC).date() <= until.date()
    return since <= at < until


def _text(holder: ET.Element, path: str) -> str:
    found = holder.find(path)
    return (found.text or "").strip() if found is not None else ""
