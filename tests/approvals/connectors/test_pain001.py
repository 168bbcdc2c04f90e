"""Payment files: as the schema and the banks want them, put down once, and found again."""

import errno
import os
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals.connectors import pain001, statements
from approvals.connectors.protocol import CannotBuild, Connector, NotReached, Order
from tests.approvals.connectors.servers import KEY, NOON, loaded, order, sent, soon

CAMT = Path(__file__).parents[4] / "shared" / "data" / "camt"
NS = {"p": pain001.NAMESPACE}
TEXT = """
[file]
kind = "pain001"
retry_class = "keyed"
retention_seconds = 86400
folder = "FOLDER"
service_level = "SEPA"
debtor = { name = "Acme GmbH", iban = "DE89 3704 0044 0532 0130 00", bic = "COBADEFFXXX" }
[file.actions.send_payment]
creditor = "{{/vendor_name}}"
iban = "{{/iban}}"
bic = "{{/bic?}}"
amount = "{{/amount}}"
currency = "{{/currency}}"
text = "{{/invoice}}"
on = "{{/on?}}"
[file.actions.run]
each = "/payments"
creditor = "{{/to}}"
iban = "{{/iban}}"
amount = "{{/amount}}"
currency = "{{/currency}}"
"""
SECOND = "GB82WEST12345698765432"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "out"
    found.mkdir()
    return found


@pytest.fixture
def connector(tmp_path: Path, folder: Path) -> Connector:
    return made(tmp_path, folder)


def made(tmp_path: Path, folder: Path, more: str = "") -> Connector:
    text = TEXT.replace("FOLDER", str(folder)).replace("service_level", f"{more}\nservice_level")
    return loaded(tmp_path, text.replace('on = "{{/on?}}"', ""))


def read(raw: bytes) -> ET.Element:
    root = ET.fromstring(raw)  # noqa: S314  (our own)
    assert root.tag == f"{{{pain001.NAMESPACE}}}Document"
    return root


def texts(root: ET.Element, path: str) -> list[str | None]:
    steps = "/".join(f"p:{step}" for step in path.split("/"))
    return [found.text for found in root.iterfind(f".//{steps}", NS)]


def names(root: ET.Element, path: str) -> list[str]:
    found = root.find("/".join(f"p:{step}" for step in path.split("/")), NS)
    assert found is not None
    return [child.tag.rpartition("}")[2] for child in found]


def test_a_file_has_what_the_schema_wants_in_its_order(connector: Connector) -> None:
    raw = connector.build(order(bic="DEUTDEFF"))
    assert raw == connector.build(order(bic="DEUTDEFF"))
    assert raw.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    root = read(raw)
    whole = "CstmrCdtTrfInitn"
    assert names(root, whole) == ["GrpHdr", "PmtInf"]
    assert names(root, f"{whole}/GrpHdr") == ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]
    assert " ".join(names(root, f"{whole}/PmtInf")) == (
        "PmtInfId PmtMtd NbOfTxs CtrlSum PmtTpInf ReqdExctnDt Dbtr DbtrAcct DbtrAgt ChrgBr"
        " CdtTrfTxInf"
    )
    assert names(root, f"{whole}/PmtInf/CdtTrfTxInf") == (
        ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"]
    )
    for path, text in {
        "GrpHdr/MsgId": KEY,
        "GrpHdr/CreDtTm": "2026-03-02T12:00:00Z",
        "GrpHdr/NbOfTxs": "1",
        "GrpHdr/CtrlSum": "48200.00",
        "PmtInf/PmtMtd": "TRF",
        "PmtInf/CtrlSum": "48200.00",
        "SvcLvl/Cd": "SEPA",
        "ReqdExctnDt/Dt": "2026-03-02",
        "DbtrAcct/Id/IBAN": "DE89370400440532013000",
        "DbtrAgt/FinInstnId/BICFI": "COBADEFFXXX",
        "PmtId/EndToEndId": KEY,
        "CdtrAgt/FinInstnId/BICFI": "DEUTDEFF",
        "Cdtr/Nm": "Nordlicht GmbH",
        "CdtrAcct/Id/IBAN": "DE89370400440532013000",
        "RmtInf/Ustrd": "INV-17",
    }.items():
        assert texts(root, path) == [text], path
    [amount] = root.iterfind(".//p:InstdAmt", NS)
    assert (amount.text, amount.attrib) == ("48200.00", {"Ccy": "EUR"})


def test_many_payments_are_counted_and_summed_exactly(connector: Connector) -> None:
    payments = [
        {"to": f"Vendor {place}", "iban": SECOND, "amount": "0.10", "currency": "EUR"}
        for place in range(1, 4)
    ]
    root = read(connector.build(Order(KEY, "run", {"payments": payments}, NOON)))
    assert texts(root, "GrpHdr/NbOfTxs") == ["3"]
    assert texts(root, "GrpHdr/CtrlSum") == texts(root, "PmtInf/CtrlSum") == ["0.30"]
    ids = texts(root, "PmtId/EndToEndId")
    assert ids == [f"{KEY}001", f"{KEY}002", f"{KEY}003"]
    assert max(len(str(id_)) for id_ in ids) == 35
    wrongs: list[Any] = [[], payments * 334, {}, None]
    for wrong in wrongs:
        with pytest.raises(CannotBuild):
            connector.build(Order(KEY, "run", {"payments": wrong}, NOON))


@pytest.mark.parametrize(
    "params",
    [
        {"amount": 48200.0},
        {"amount": 48200},
        {"amount": "0.00"},
        {"amount": "-1.00"},
        {"amount": "1e3"},
        {"amount": "1,000.00"},
        {"amount": "1.001"},
        {"amount": "1.5", "currency": "JPY"},
        {"amount": "00.10"},
        {"amount": "12345678901234.00"},
        {"amount": "٣.00"},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"iban": "DE88 3704 0044 0532 0130 00"},
        {"iban": "DE89"},
        {"iban": ""},
        {"bic": "DEUT"},
        {"bic": "DEUTDEFF1"},
        {"vendor_name": "Grün"},
        {"vendor_name": "A & B <C>"},
        {"vendor_name": " Nordlicht"},
        {"vendor_name": "N\nN"},
        {"vendor_name": ""},
        {"vendor_name": "x" * 71},
        {"invoice": "x" * 141},
        {"invoice": "\u202e"},
    ],
)
def test_what_a_bank_would_not_take_is_not_built(
    connector: Connector, params: dict[str, Any]
) -> None:
    with pytest.raises(CannotBuild):
        connector.build(order(**params))


def test_a_key_of_another_form_makes_no_file(connector: Connector) -> None:
    for key in ("../x", "A" * 32, "0" * 31, ""):
        with pytest.raises(CannotBuild):
            connector.build(order(key=key))


def test_a_day_is_the_one_that_was_approved(tmp_path: Path, folder: Path) -> None:
    connector = loaded(tmp_path, TEXT.replace("FOLDER", str(folder)))
    root = read(connector.build(order(on="2026-03-09")))
    assert texts(root, "ReqdExctnDt/Dt") == ["2026-03-09"]
    for wrong in ("9.3.2026", "2026-02-30", ""):
        with pytest.raises(CannotBuild):
            connector.build(order(on=wrong))


def test_letters_are_written_as_banks_do_where_that_was_wished(
    tmp_path: Path, folder: Path
) -> None:
    connector = made(tmp_path, folder, "transliterate = true")
    root = read(connector.build(order(vendor_name="Müller & Söhne")))
    assert texts(root, "Cdtr/Nm") == ["Mueller + Soehne"]
    root = read(connector.build(order(vendor_name="Ærø Čapek, Łódź ß")))
    assert texts(root, "Cdtr/Nm") == ["Aeroe Capek, Lodz ss"]
    with pytest.raises(CannotBuild):
        connector.build(order(vendor_name="株式会社"))


def test_a_file_is_whole_before_it_has_its_name(connector: Connector, folder: Path) -> None:
    found = sent(connector, order())
    assert (found.outcome, found.reference) == ("acknowledged", f"{KEY}.xml")
    assert [path.name for path in folder.iterdir()] == [f"{KEY}.xml"]
    assert (folder / f"{KEY}.xml").read_bytes() == connector.build(order())


def test_the_same_again_is_there_already_and_another_is_refused(
    connector: Connector, folder: Path
) -> None:
    sent(connector, order())
    before = (folder / f"{KEY}.xml").stat().st_mtime_ns
    assert sent(connector, order()).outcome == "acknowledged"
    other = sent(connector, order(amount="1.00"))
    assert (other.outcome, other.says) == ("refused", "There is another file of this name.")
    assert (folder / f"{KEY}.xml").stat().st_mtime_ns == before
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("place", "says", "outcome"),
    [("done", "executed", "acknowledged"), ("rejected", "refused", "refused")],
)
def test_what_the_gateway_moved_is_found_and_not_put_down_again(
    connector: Connector, folder: Path, place: str, says: str, outcome: str
) -> None:
    body = connector.build(order())
    assert connector.ask(order(), body, soon()).says == "absent"
    sent(connector, order())
    assert connector.ask(order(), body, soon()).says == "executed"
    (folder / place).mkdir()
    (folder / f"{KEY}.xml").rename(folder / place / f"{KEY}.xml")
    found = connector.ask(order(), body, soon())
    assert (found.says, found.reference) == (says, f"{place}/{KEY}.xml")
    assert sent(connector, order()).outcome == outcome
    assert not (folder / f"{KEY}.xml").exists()
    assert connector.ask(order(), body + b" ", soon()).says == "unclear"


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(
    connector: Connector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = folder / f"{KEY}.xml"
    plain = os.fsync

    def fsync(file: int) -> None:
        plain(file)
        taken.write_bytes(b"<other/>")

    monkeypatch.setattr(os, "fsync", fsync)
    assert sent(connector, order()).outcome == "refused"
    assert taken.read_bytes() == b"<other/>"
    assert len(list(folder.iterdir())) == 1


def test_a_disk_that_fails_puts_nothing_down(
    connector: Connector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found = sent(connector, order())
    assert (found.outcome, list(folder.iterdir())) == ("refused", [])
    assert "No space left" in found.says


def test_a_folder_that_did_not_keep_the_name_is_unknown(
    connector: Connector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = os.fsync, []

    def second_fails(file: int) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        plain(file)

    monkeypatch.setattr(os, "fsync", second_fails)
    assert sent(connector, order()).outcome == "unknown"


@pytest.mark.parametrize(
    ("number", "is_done", "outcome"),
    [
        (errno.EIO, True, "unknown"),
        (errno.EIO, False, "unknown"),
        (errno.ESTALE, False, "unknown"),
        (errno.ETIMEDOUT, False, "unknown"),
        # Taken, and yet nobody has it: the gateway may have been quick with this very file.
        (errno.EEXIST, False, "unknown"),
        (errno.EACCES, False, "refused"),
        (errno.EPERM, False, "refused"),
        (errno.EROFS, False, "refused"),
        (errno.ENOSPC, False, "refused"),
        (errno.ENOENT, False, "refused"),
        (errno.EXDEV, False, "refused"),
    ],
)
def test_an_error_while_the_name_is_given_is_no_refusal(
    connector: Connector,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    is_done: bool,
    outcome: str,
) -> None:
    plain = Path.hardlink_to

    def fails(self: Path, target: Path) -> None:
        if is_done:
            plain(self, target)
            monkeypatch.setattr(pain001, "_where", unreadable)
        raise OSError(number, os.strerror(number))

    def unreadable(*_asked: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", fails)
    assert sent(connector, order()).outcome == outcome
    assert [path.name for path in folder.iterdir()] == [f"{KEY}.xml"] * is_done


def test_an_error_about_a_name_that_was_given_is_found_out(
    connector: Connector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.hardlink_to

    def fails(self: Path, target: Path) -> None:
        plain(self, target)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "hardlink_to", fails)
    assert sent(connector, order()).outcome == "acknowledged"


def test_what_a_killed_process_left_keeps_nothing_up(connector: Connector, folder: Path) -> None:
    (folder / f".{KEY}.{os.getpid()}.part").write_bytes(b"<half")
    (folder / f".{KEY}.1.part").write_bytes(b"<half")
    (folder / f".{'0' * 32}.1.part").write_bytes(b"another order's")
    assert sent(connector, order()).outcome == "acknowledged"
    assert {path.name for path in folder.iterdir()} == {f"{KEY}.xml", f".{'0' * 32}.1.part"}


def test_a_folder_that_is_gone_is_not_reached(connector: Connector, folder: Path) -> None:
    assert "may write" in connector.test(soon())
    folder.rmdir()
    for reach in (lambda: connector.test(soon()), lambda: connector.reach(order(), soon())):
        with pytest.raises(NotReached):
            reach()


def test_a_deadline_that_is_over_puts_nothing_down(connector: Connector, folder: Path) -> None:
    assert sent(connector, order(), seconds=-1).outcome == "refused"
    assert list(folder.iterdir()) == []


def test_the_folder_is_a_list(connector: Connector, folder: Path) -> None:
    sent(connector, order())
    (folder / "done").mkdir()
    (folder / "done" / "foreign.xml").write_bytes(b"<x/>")
    (folder / "notes.txt").write_bytes(b"")
    found = list(connector.listed(NOON, NOON + timedelta(days=36_500), soon()))
    # Theirs against ours: also what we did not put there.
    assert [(each.key, each.reference) for each in found] == [
        (KEY, f"{KEY}.xml"),
        ("foreign", "done/foreign.xml"),
    ]
    assert list(connector.listed(NOON - timedelta(1), NOON - timedelta(hours=1), soon())) == []


STATEMENT = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
{entries}
</Stmt></BkToCstmrStmt></Document>"""
ENTRY = """<Ntry><Amt Ccy="EUR">48200.00</Amt><CdtDbtInd>{sign}</CdtDbtInd>{more}
<Sts><Cd>{status}</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>B-77</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"""


def entry(**said: str) -> str:
    usual = {"sign": "DBIT", "more": "", "status": "BOOK", "day": "2026-03-02", "id": KEY}
    return ENTRY.format(**{**usual, **said})


def test_statements_list_what_the_bank_booked(tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "in"
    given.mkdir()
    connector = made(tmp_path, folder, f'statements = "{given}"')
    lines = [
        entry(),
        entry(id=f"{KEY}002"),
        entry(id="INVOICE 9"),
        entry(id="NOTPROVIDED"),
        entry(sign="CRDT"),
        entry(status="PDNG"),
        entry(more="<RvslInd>true</RvslInd>"),
        entry(day="2026-02-20"),
    ]
    (given / "s.xml").write_text(STATEMENT.format(entries="".join(lines)))
    (given / "other.xml").write_text("<Document/>")
    found = list(connector.listed(NOON, NOON + timedelta(days=1), soon()))
    assert [(each.key, each.reference, each.text) for each in found] == [
        (KEY, "B-77", "EUR 48200.00"),
        (KEY, "B-77", "EUR 48200.00"),
        ("INVOICE 9", "B-77", "EUR 48200.00"),
    ]
    assert found[0].at.date() == NOON.date()


@pytest.mark.parametrize(
    "raw",
    [
        b"no xml",
        b"",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        STATEMENT.format(entries=entry(day="soon")).encode(),
    ],
)
def test_a_statement_that_cannot_be_trusted_is_no_list(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "s.xml").write_bytes(raw)
    with pytest.raises(NotReached):
        list(statements.booked(tmp_path, NOON, NOON))


@pytest.mark.data
@pytest.mark.skipif(not CAMT.is_dir(), reason="needs ../shared/data")
def test_statements_of_real_banks_are_read() -> None:
    found = {}
    for path in sorted(CAMT.glob("camt05[34]*.xml")):
        if "wrong" in path.name:
            continue
        found[path.name] = list(statements.lines(path))
    lines = [line for each in found.values() for line in each]
    assert len(found) > 10
    assert lines
    for line in lines:
        assert line.key
        assert line.reference
        assert line.at.tzinfo is not None
        assert line.text
