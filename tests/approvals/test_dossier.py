"""The evidence pack: everything about one proposal, to be checked by whoever has only the file."""

import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pypdf import PdfReader
from pytest_django import Settings

from approvals.auditing import audit
from approvals.operations.commenting import comment
from approvals.operations.proposing import Exhibit
from approvals.queries.dossier import everything
from approvals.showing.dossier import StillBlind, dossier, packed
from approvals.showing.printing import printed
from console.canonical import canonical_bytes, digest
from console.errors import NotFound
from console.ledger import queries as ledger
from snapshots.diff import Change
from tests.access.proving import with_code
from tests.approvals.signed import ask_for_signatures, decide, proof
from tests.approvals.test_signing import enrolled, proof_by_passkey
from tests.house import BACKEND
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
HOSTILE = (
    '#panic("x") *bold* $x^2$ @ref <label> #import "a" \\u{41} <script>alert(1)</script> '
    "\u202eabc\u202c zero\u200bwidth שלום مرحبا 漢字テスト 한국어 😀 " + "x" * 300
)


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another wording": lambda p: p["revisions"][0].update(
        sealed=p["revisions"][0]["sealed"].replace("70", "71")
    ),
    "another evidence": lambda p: p["evidence"][0].update(content="Please pay more."),
    "another choice": lambda p: p["decisions"][0].update(choice="reject"),
    "another reason": lambda p: p["decisions"][0].update(reason="forced"),
    "another decider": lambda p: p["decisions"][0]["by"].update(id=p["decisions"][1]["by"]["id"]),
    "a decision left out": lambda p: p["decisions"].pop(0),
    "a decision on another wording": lambda p: p["decisions"][0].update(digest="0" * 64),
    "a decision left out with its signature": lambda p: (
        p["decisions"].pop(0),
        p["signatures"].pop(0),
    ),
    "a signature left out": lambda p: p["signatures"].pop(0),
    "another meaning": lambda p: p["signatures"][0].update(meaning="I was there"),
    "another name": lambda p: p["signatures"][0].update(printed_name="Zoe"),
    "another time": lambda p: p["signatures"][1].update(signed_at="2026-01-01T00:00:00Z"),
    "another rendering": lambda p: p["signatures"][0].update(
        rendering=p["signatures"][0]["rendering"].replace("Northwind", "Quickfix")
    ),
    "another statement": lambda p: p["signatures"][1].update(
        statement=p["signatures"][1]["statement"].replace("approve it", "approved it")
    ),
    "another key": lambda p: p["signatures"][1]["assertion"].update(
        public_key=p["signatures"][1]["assertion"]["public_key"][:-2] + "00"
    ),
    "another signature": lambda p: p["signatures"][1]["assertion"]["response"].update(
        signature="MEUCIQ"
    ),
    "another execution": lambda p: p["executions"][0].update(digest="0" * 64),
    "another line": lambda p: p["ledger"]["lines"][1]["body"].update(choice="reject"),
    "a line of somebody else": lambda p: p["ledger"]["lines"][1]["actor"].update(name="Zoe"),
    "a line at another time": lambda p: p["ledger"]["lines"][1].update(
        at="2026-01-01T00:00:00.000000+00:00"
    ),
    "lines in another order": lambda p: p["ledger"]["lines"].reverse(),
    "a line about something else": lambda p: p["ledger"]["lines"][0].update(subject="run:1"),
    "an earlier end": lambda p: p["ledger"]["end"].update(seq=1),
    "a part left out": lambda p: p.pop("signatures"),
}


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords quickly; slow on purpose is for attackers."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def settled(cast: Cast) -> UUID:
    """Return a proposal that Ana signed with a code, Ben with a passkey, and that was done."""
    mail = Exhibit("Mail", "mail 4711", "Please pay.", ("/balance",))
    asked = ask_for_signatures(cast, approvals=2, evidence=(mail,), rationale=HOSTILE)
    comment(actor=cast.eve, proposal_id=asked, text="I know them.", now=now())
    secret = with_code(UUID(cast.ana.id))
    decide(cast, cast.ana, asked, proof(cast, cast.ana, asked, secret))
    step_up_id = proof_by_passkey(cast, cast.ben, asked, enrolled(cast.ben))
    assert decide(cast, cast.ben, asked, step_up_id) == "approved"
    return asked


def pack_of(cast: Cast, asked: UUID) -> dict[str, Any]:
    body = packed(actor=cast.cleo, proposal_id=asked, form="json", now=AT)
    found: dict[str, Any] = json.loads(body)
    return found


def paper_of(cast: Cast, asked: UUID) -> str:
    body = packed(actor=cast.cleo, proposal_id=asked, form="pdf", now=AT)
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)


def objections(pack: dict[str, Any]) -> list[str]:
    return [found.what for found in audit(canonical_bytes(pack)) if found.wrong]


def resealed(pack: dict[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in pack.items() if name != "digest"}
    return {**body, "digest": digest(body)}


class TestThePack:
    """The pack has everything, each with the digest that it is known by."""

    def test_holds_all_that_happened(self, cast: Cast, settled: UUID) -> None:
        pack = pack_of(cast, settled)
        assert pack["proposal"]["status"] == "approved"
        assert [row["by"]["name"] for row in pack["decisions"]] == ["Ana", "Ben"]
        assert [row["method"] for row in pack["signatures"]] == ["password_totp", "passkey"]
        assert [row["text"] for row in pack["comments"]] == ["I know them."]
        assert [row["content"] for row in pack["evidence"]] == ["Please pay."]
        [execution] = pack["executions"]
        head = cast.head()
        assert execution["status"] == "succeeded"
        assert execution["snapshot"]["number"] == head.number
        assert execution["snapshot"]["digest"] == head.digest
        [revision] = pack["revisions"]
        assert json.loads(revision["sealed"])["params"] == {"vendor": "V7", "amount": 70}
        assert json.loads(pack["rendering"])["title"] == pack["proposal"]["title"]
        verbs = [line["verb"] for line in pack["ledger"]["lines"]]
        assert verbs.count("proposal.decided") == 2
        assert verbs[0] == "proposal.made"

    def test_holds_when_it_is_checked(self, cast: Cast, settled: UUID) -> None:
        found = audit(packed(actor=cast.cleo, proposal_id=settled, form="json", now=AT))
        assert [each for each in found if each.wrong] == []
        assert len(found) > 20

    def test_of_a_proposal_that_waits_holds_too(self, cast: Cast) -> None:
        pack = pack_of(cast, cast.ask())
        assert pack["decisions"] == pack["executions"] == []
        assert objections(pack) == []

    def test_is_noted_in_the_ledger_with_its_digest(self, cast: Cast, settled: UUID) -> None:
        first = pack_of(cast, settled)
        paper_of(cast, settled)
        rows = ledger.entries(cast.workspace.id).filter(verb="evidence.exported").order_by("seq")
        assert [row.body["form"] for row in rows] == ["json", "pdf"]
        assert [row.actor["name"] for row in rows] == ["Cleo", "Cleo"]
        assert rows[0].body["digest"] == first["digest"]
        assert pack_of(cast, settled)["ledger"]["lines"][-1]["verb"] == "evidence.exported"
        assert cast.ledger_objection() is None

    def test_is_not_made_while_reviewers_are_blind_to_each_other(self, cast: Cast) -> None:
        asked = ask_for_signatures(cast, approvals=2)
        for form in ("json", "pdf"):
            with pytest.raises(StillBlind):
                packed(actor=cast.cleo, proposal_id=asked, form=form, now=AT)
        assert "evidence.exported" not in cast.said()

    def test_is_made_only_where_the_proposal_is(self, cast: Cast, settled: UUID) -> None:
        with pytest.raises(NotFound):
            packed(actor=cast.zoe, proposal_id=settled, form="json", now=AT)


class TestChecking:
    """Whoever changes anything in the file is found out, also when they seal it anew."""

    @pytest.fixture
    def pack(self, cast: Cast, settled: UUID) -> dict[str, Any]:
        return pack_of(cast, settled)

    def test_finds_a_changed_letter(self, pack: dict[str, Any]) -> None:
        pack["proposal"]["title"] += "."
        assert objections(pack) == ["The pack's own digest"]

    @pytest.mark.parametrize("change", CHANGES)
    def test_finds_what_was_sealed_anew(self, pack: dict[str, Any], change: str) -> None:
        changed = copy.deepcopy(pack)
        CHANGES[change](changed)
        assert changed != pack
        assert objections(resealed(changed))

    @pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"format":1}', b"\xff", b"NaN"])
    def test_refuses_what_is_no_pack(self, text: bytes) -> None:
        [found] = audit(text)
        assert found.wrong

    def test_needs_no_database(self, pack: dict[str, Any], tmp_path: Path) -> None:
        good, bad = tmp_path / "good.json", tmp_path / "bad.json"
        good.write_bytes(canonical_bytes(pack))
        pack["decisions"][0]["reason"] = "forced\x1b[2J"
        bad.write_bytes(canonical_bytes(resealed(pack)))
        top = Path(__file__).parents[2]
        environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "COUNTERSIGN_VAR": str(tmp_path),
        }

        def check(path: Path) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "manage.py", "check_evidence", str(path)]
            return subprocess.run(
                command, cwd=top, env=environment, text=True, capture_output=True, check=False
            )

        fine, wrong = check(good), check(bad)
        assert (fine.returncode, wrong.returncode) == (0, 1), fine.stderr
        assert "All" in fine.stdout
        assert "WRONG  Ana's decision stands in the ledger" in wrong.stdout
        assert "Do not rely on this pack" in wrong.stderr

    def test_says_that_there_is_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="No such file"):
            call_command("check_evidence", str(tmp_path / "none.json"))


class TestThePaper:
    """The PDF says the same to people, whatever others wrote into it."""

    def test_says_what_the_pack_says(self, cast: Cast, settled: UUID) -> None:
        said = paper_of(cast, settled)
        for words in (
            "Pay 70 to Northwind",
            "Signed by Ana",
            "Signed by Ben",
            "I reviewed this change and approve it",
            "passkey, over the statement itself",
            "Please pay.",
            "I know them.",
            "Page 1 of",
            str(settled),
        ):
            assert words in said, words

    def test_shows_markup_and_hidden_characters_as_what_they_are(
        self, cast: Cast, settled: UUID
    ) -> None:
        said = " ".join(paper_of(cast, settled).split())
        assert '#panic("x") *bold* $x^2$ @ref <label>' in said
        assert "<script>alert(1)</script>" in said
        assert "[U+202E RIGHT-TO-LEFT OVERRIDE]abc" in said
        assert "\u202e" not in said

    def test_is_the_same_twice(self, cast: Cast, settled: UUID) -> None:
        found = everything(cast.workspace.id, settled)
        value = dossier(found, by=cast.cleo, now=AT)
        shown = json.loads(str(value["rendering"]))
        assert printed(value, shown, made_at=AT) == printed(value, shown, made_at=AT)

    def test_has_its_proposal_and_digest_on_every_page(self, cast: Cast, settled: UUID) -> None:
        body = packed(actor=cast.cleo, proposal_id=settled, form="pdf", now=AT)
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(body)).pages]
        [row] = ledger.entries(cast.workspace.id).filter(verb="evidence.exported")
        for number, said in enumerate(pages, start=1):
            assert str(settled) in said
            assert row.body["digest"] in said.replace("\n", "")
            assert f"Page {number} of {len(pages)}" in said

    def test_of_five_hundred_changes_is_made(self, cast: Cast) -> None:
        changes = [Change("add", f"/field{number}", value=HOSTILE[:60]) for number in range(500)]
        asked = cast.state_change(*changes)
        body = packed(actor=cast.cleo, proposal_id=asked, form="pdf", now=AT)
        said = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
        assert "Changes (500)" in said
        assert all(f"/field{number}" in said for number in (0, 250, 499))


class TestDoors:
    """The pack leaves as a file that does nothing by itself."""

    @pytest.mark.parametrize(
        ("form", "kind", "begins"),
        [("json", "application/json", b"{"), ("pdf", "application/pdf", b"%PDF-")],
    )
    def test_hands_out_a_file(
        self, cast: Cast, settled: UUID, form: str, kind: str, begins: bytes
    ) -> None:
        browser = Client()
        browser.force_login(cast.user(cast.cleo), backend=BACKEND)
        answer = browser.get(f"/w/acme/proposals/{settled}/evidence.{form}")
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
        assert answer.content.startswith(begins)
        assert answer["Content-Disposition"] == (
            f'attachment; filename="evidence-{settled}.{form}"'
        )
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cache-Control"] == "no-store"

    def test_answers_programs_and_people(self, cast: Cast, settled: UUID) -> None:
        path = f"/api/v1/proposals/{settled}/evidence-pack"
        token = cast.token(cast.eve, "proposals:read")
        by_token = Client(headers={"Authorization": f"Bearer {token}"}).get(path)
        browser = Client()
        browser.force_login(cast.user(cast.cleo), backend=BACKEND)
        for answer in (by_token, browser.get(path)):
            assert answer.status_code == 200
            assert [each for each in audit(answer.content) if each.wrong] == []
        poor = cast.token(cast.eve, "jobs:read")
        answer = Client(headers={"Authorization": f"Bearer {poor}"}).get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")

    def test_says_that_it_is_too_early(self, cast: Cast) -> None:
        asked = ask_for_signatures(cast, approvals=2)
        token = cast.token(cast.eve, "proposals:read")
        answer = Client(headers={"Authorization": f"Bearer {token}"}).get(
            f"/api/v1/proposals/{asked}/evidence-pack"
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "still_blind")
