"""Auditing a ledger outside of its database: whoever alters, drops, swaps, cuts or signs is found.

The attacks stand in a table, so that `test_verifier_mutation.py` can try them on a verifier in
which a check is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.canonical import canonical_bytes
from console.ledger import auditing
from console.ledger.auditing import exported, header
from console.ledger.chain import GENESIS, Line, Seal
from console.ledger.checkpoints import Checkpoint, Signed, fingerprint, from_line, sign

WORKSPACE = "0190c0de-0000-7000-8000-000000000001"
OTHER = "0190c0de-0000-7000-8000-000000000002"
BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ENTRIES, EVERY = 12, 4
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
KEY_ID, STRANGER_ID = fingerprint(KEY.public_key()), fingerprint(STRANGER.public_key())
KEYS = {KEY_ID: KEY.public_key()}


def entries(workspace: str = WORKSPACE, **changed: dict[str, Any]) -> list[bytes]:
    """Return a ledger of twelve entries, five minutes apart; `e5={...}` says entry 5 otherwise."""
    found, previous = [header(workspace)], GENESIS
    for seq in range(1, ENTRIES + 1):
        line = Line(
            workspace,
            seq,
            BEGIN + timedelta(minutes=5 * seq),
            {"kind": "person", "id": "p1", "name": "Zoë", "behind": ""},
            "note.written",
            "note:1",
            {"n": seq, "paid": "10·10⁰ €", "share": 0.5},
        )
        line = replace(line, **changed.get(f"e{seq}", {}))
        digest = line.digest(previous)
        found.append(exported(line, Seal(previous, digest)))
        previous = digest
    return found


def checkpoints(
    ledger: list[bytes], *at: int, key: Ed25519PrivateKey = KEY, workspace: str = WORKSPACE
) -> list[Signed]:
    """Return checkpoints that stand at these entries, each made as its entry was written."""
    found: list[Signed] = []
    for seq in at:
        last = found[-1].checkpoint if found else None
        statement = Checkpoint(
            workspace,
            len(found) + 1,
            seq,
            orjson.loads(ledger[seq])["digest"],
            datetime.fromisoformat(orjson.loads(ledger[seq])["line"]["at"]),
            last.seal() if last else GENESIS,
            fingerprint(key.public_key()),
        )
        found.append(sign(statement, key))
    return found


def kept(signed: list[Signed]) -> bytes:
    """Return them as the second place keeps them."""
    return b"".join(each.line() for each in signed)


@dataclass
class Evidence:
    """What an auditor is given."""

    lines: list[bytes] = field(default_factory=entries)
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def whole(cls) -> "Evidence":
        """Return a ledger with checkpoints at entries 4, 8 and 12."""
        lines = entries()
        return cls(lines, {f"{WORKSPACE}.jsonl": kept(checkpoints(lines, 4, 8, 12))})

    def audit(self, verifier: ModuleType = auditing) -> list[tuple[int, str]]:
        """Return what a verifier finds."""
        report = verifier.audit(self.lines, self.files.get, KEYS)
        return [(fault.seq, fault.says) for fault in report.faults]

    @property
    def signed(self) -> list[bytes]:
        """Return the lines of the checkpoints."""
        return self.files[f"{WORKSPACE}.jsonl"].splitlines(keepends=True)

    def keep(self, *lines: bytes) -> None:
        """Replace the file of checkpoints."""
        self.files[f"{WORKSPACE}.jsonl"] = b"".join(lines)


Attack = Callable[[Evidence], None]
_attacks: dict[str, tuple[Attack, int, str]] = {}


def attack(seq: int, says: str) -> Callable[[Attack], Attack]:
    """Keep an attack with the first entry that cannot be relied on, and what is said of it."""

    def keep(tamper: Attack) -> Attack:
        _attacks[tamper.__name__] = (tamper, seq, says)
        return tamper

    return keep


def respell(raw: bytes, *names: str, to: Any) -> bytes:
    """Write one member of a line otherwise, as somebody would who does not seal it again."""
    value = orjson.loads(raw)
    inner = value
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = to
    return canonical_bytes(value) + b"\n"


@attack(5, "entry 5 was altered")
def alters_a_body(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "body", "n", to=6)


@attack(5, "entry 5 was altered")
def alters_who(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "actor", "name", to="Ana")


@attack(5, "entry 5 was altered")
def alters_when(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "at", to="2026-03-01T09:25:00.000001+00:00")


@attack(5, "entry 5 was altered")
def alters_what(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "verb", to="note.burnt")


@attack(5, "entry 5 was altered")
def alters_to_what(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "subject", to="note:2")


@attack(5, "entry 5 was altered")
def alters_a_digest(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "digest", to="f" * 64)


@attack(5, "entry 5 was altered")
def alters_a_predecessor(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "previous", to="f" * 64)


@attack(5, "entry 5 is missing; the next one found is 6")
def alters_a_number(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "seq", to=6)


@attack(5, "entry 5 is of another workspace")
def alters_the_workspace_of_an_entry(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "line", "workspace", to=OTHER)


@attack(5, "entry 5 cannot be read")
def writes_a_key_twice(given: Evidence) -> None:
    # Who reads the first says 6, who reads the last says what was sealed.
    given.lines[5] = given.lines[5].replace(b'{"n":5', b'{"n":6,"n":5')


@attack(5, "entry 5 cannot be read")
def puts_something_beside_what_is_sealed(given: Evidence) -> None:
    given.lines[5] = respell(given.lines[5], "note", to="approved by Ana")


@attack(5, "entry 5 cannot be read")
def writes_what_is_no_entry(given: Evidence) -> None:
    given.lines[5] = b"\xff\n"


@attack(3, "entry 3 is missing; the next one found is 4")
def drops_a_line(given: Evidence) -> None:
    del given.lines[3]


@attack(4, "entry 4 is missing; entry 3 stands in its place")
def doubles_a_line(given: Evidence) -> None:
    given.lines.insert(4, given.lines[3])


@attack(3, "entry 3 is missing; the next one found is 4")
def swaps_two_lines(given: Evidence) -> None:
    given.lines[3], given.lines[4] = given.lines[4], given.lines[3]


@attack(6, "entry 6 was altered")
def puts_a_line_in(given: Evidence) -> None:
    new = respell(given.lines[5], "line", "seq", to=6)
    given.lines.insert(6, respell(new, "previous", to=orjson.loads(given.lines[5])["digest"]))


@attack(6, "entry 6 was altered")
def seals_a_line_again(given: Evidence) -> None:
    given.lines[5] = entries(e5={"verb": "note.burnt"})[5]


@attack(5, "entry 8 is not the one that checkpoint 2 signed")
def seals_everything_again_from_there(given: Evidence) -> None:
    given.lines = entries(e5={"verb": "note.burnt"})


@attack(1, "entry 4 is not the one that checkpoint 1 signed")
def seals_everything_again(given: Evidence) -> None:
    given.lines = entries(e1={"verb": "note.burnt"})


@attack(10, "entries 10 to 12 are missing: checkpoint 3 of 2026-03-01 10:00 UTC stands at")
def cuts_the_tail(given: Evidence) -> None:
    del given.lines[10:]


@attack(1, "there is no entry")
def cuts_everything(given: Evidence) -> None:
    del given.lines[1:]


@attack(1, "the file does not begin as a ledger does")
def cuts_the_beginning(given: Evidence) -> None:
    del given.lines[0]


@attack(1, "the file does not begin as a ledger does")
def says_another_format(given: Evidence) -> None:
    given.lines[0] = respell(given.lines[0], "format", to="countersign-ledger/2")


@attack(1, "the file does not begin as a ledger does")
def names_a_file_elsewhere(given: Evidence) -> None:
    given.files["../keys.jsonl"] = given.files[f"{WORKSPACE}.jsonl"]
    given.lines[0] = respell(given.lines[0], "workspace", to="../keys")


@attack(1, "entry 1 is of another workspace")
def says_another_workspace(given: Evidence) -> None:
    given.lines[0] = header(OTHER)
    given.files[f"{OTHER}.jsonl"] = b""


@attack(1, "checkpoint 1 is of another workspace")
def shows_the_checkpoints_of_another(given: Evidence) -> None:
    theirs = entries(OTHER)
    given.keep(kept(checkpoints(theirs, 4, 8, 12, workspace=OTHER)))


@attack(1, "there are no checkpoints of this workspace")
def takes_the_checkpoints_away(given: Evidence) -> None:
    given.files.clear()


@attack(5, "checkpoint 2 is missing; checkpoint 3 stands in its place")
def drops_a_checkpoint(given: Evidence) -> None:
    first, _, third = given.signed
    given.keep(first, third)


@attack(9, "checkpoint 3 is missing; checkpoint 1 stands in its place")
def replays_an_old_checkpoint(given: Evidence) -> None:
    first, second, third = given.signed
    given.keep(first, second, first, third)


@attack(5, "checkpoint 2 cannot be relied on: it ends in the middle of a line")
def cuts_a_checkpoint_short(given: Evidence) -> None:
    first, second, _ = given.signed
    given.keep(first, second[:-1])


@attack(5, "checkpoint 2 cannot be relied on: it cannot be read")
def tears_a_checkpoint(given: Evidence) -> None:
    first, second, third = given.signed
    given.keep(first, second[:50], b"\n", third)


@attack(5, "checkpoint 2 cannot be relied on: it is not written as a checkpoint is")
def writes_a_checkpoint_otherwise(given: Evidence) -> None:
    first, second, third = given.signed
    given.keep(first, second.replace(b'","', b'", "'), third)


@attack(5, "checkpoint 2 is not what its key has signed")
def moves_a_checkpoint(given: Evidence) -> None:
    first, second, third = given.signed
    given.keep(first, respell(second, "seq", to=7), third)


@attack(5, "checkpoint 2 is not what its key has signed")
def takes_the_signature_of_another(given: Evidence) -> None:
    first, second, third = given.signed
    theirs = from_line(third).signature
    given.keep(first, respell(second, "signature", to=theirs), third)


@attack(1, f"checkpoint 1 is signed with a key that is not known: {STRANGER_ID}")
def signs_with_another_key(given: Evidence) -> None:
    given.lines = entries(e5={"verb": "note.burnt"})
    given.keep(kept(checkpoints(given.lines, 4, 8, 12, key=STRANGER)))


@attack(1, "checkpoint 1 is not what its key has signed")
def signs_with_another_key_under_its_name(given: Evidence) -> None:
    given.lines = entries(e5={"verb": "note.burnt"})
    theirs = checkpoints(given.lines, 4, key=STRANGER)[0].checkpoint
    given.keep(sign(replace(theirs, key=KEY_ID), STRANGER).line())


@attack(5, "checkpoint 2 does not follow the checkpoint before it")
def puts_a_checkpoint_of_a_fork_behind(given: Evidence) -> None:
    fork = checkpoints(entries(e1={"verb": "note.burnt"}), 4, 8)
    given.keep(given.signed[0], fork[1].line())


@attack(9, "checkpoint 3 goes back behind the checkpoint before it")
def signs_an_earlier_end(given: Evidence) -> None:
    given.keep(kept(checkpoints(given.lines, 4, 8, 6)))


@attack(9, "checkpoint 3 goes back behind the checkpoint before it")
def signs_an_earlier_time(given: Evidence) -> None:
    first, second, third = checkpoints(given.lines, 4, 8, 12)
    early = replace(third.checkpoint, at=BEGIN)
    given.keep(kept([first, second, sign(early, KEY)]))


@attack(5, "entries 5 to 12 have no checkpoint, the last of them was written 3.7 hours after")
def cuts_the_checkpoints(given: Evidence) -> None:
    given.lines = entries(e12={"at": BEGIN + timedelta(hours=4)})
    given.keep(kept(checkpoints(given.lines, 4)))


ATTACKS = dict(_attacks)


def outcome(name: str, verifier: ModuleType = auditing) -> list[tuple[int, str]]:
    """Return what a verifier finds after an attack."""
    given = Evidence.whole()
    ATTACKS[name][0](given)
    return given.audit(verifier)


def is_found(name: str, verifier: ModuleType = auditing) -> bool:
    """Say whether it names the first entry that cannot be relied on, in the words for that."""
    _, seq, says = ATTACKS[name]
    found = outcome(name, verifier)
    return bool(found) and found[0][0] == seq and says in found[0][1]


@pytest.mark.parametrize("name", ATTACKS)
def test_finds_whoever(name: str) -> None:
    assert is_found(name), outcome(name)


class TestHolding:
    """What nobody touched holds, whatever became of the machine meanwhile."""

    def test_holds_when_nobody_touched_it(self) -> None:
        report = auditing.audit((given := Evidence.whole()).lines, given.files.get, KEYS)
        assert (report.workspace, report.entries, len(report.checkpoints)) == (WORKSPACE, 12, 3)
        assert report.faults == []

    def test_holds_where_entries_wait_for_their_checkpoint(self) -> None:
        given = Evidence.whole()
        given.keep(*given.signed[:2])
        assert given.audit() == []

    def test_holds_where_a_line_was_torn_and_written_again(self) -> None:
        given = Evidence.whole()
        first, second, third = given.signed
        for torn in (second[:1], second[:200], second[:-1]):
            given.keep(first, torn, b"\n", second, third)
            assert given.audit() == []

    def test_holds_across_a_change_of_keys(self) -> None:
        given = Evidence.whole()
        last = from_line(given.signed[-1])
        new = replace(last.checkpoint, number=4, previous=last.checkpoint.seal(), key=STRANGER_ID)
        given.keep(*given.signed, sign(new, STRANGER).line())
        both = {**KEYS, STRANGER_ID: STRANGER.public_key()}
        assert auditing.audit(given.lines, given.files.get, both).faults == []
        assert given.audit() == [
            (13, f"checkpoint 4 is signed with a key that is not known: {STRANGER_ID}")
        ]


@pytest.mark.parametrize("position", range(0, 700, 3))
def test_notices_every_byte(position: int) -> None:
    """One bit of a line is turned; whichever it is, this is the first line that does not hold."""
    given = Evidence.whole()
    raw = given.lines[5].rstrip(b"\n")
    at = position % len(raw)
    given.lines[5] = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] + b"\n"
    found = given.audit()
    assert [seq for seq, _ in found] == [5], found


@pytest.mark.parametrize("position", range(0, 800, 7))
def test_notices_every_byte_of_a_checkpoint(position: int) -> None:
    given = Evidence.whole()
    first, second, third = given.signed
    at = position % (len(second) - 1)
    given.keep(first, second[:at] + bytes([second[at] ^ 1]) + second[at + 1 :], third)
    assert [seq for seq, _ in given.audit()] == [5]


def test_compares_both_places() -> None:
    compare_both_places(auditing)


def compare_both_places(verifier: ModuleType) -> None:
    """Hold a table against a second place in each way that they may differ."""
    one = checkpoints(entries(), 4, 8, 12)
    two = checkpoints(entries(e6={"verb": "x"}), 4, 8, 12)
    assert verifier.apart(one, one) is None
    assert verifier.apart(one, one[:2]) is None
    assert verifier.apart(one, one[:1]) == verifier.Fault(
        5,
        "the table has 3 checkpoints, the second place 1: its file was cut short, or cannot be "
        "written",
    )
    behind = verifier.apart(one[:1], one)
    assert behind is not None
    assert behind.seq == 5
    assert "this database is older than checkpoint 3, which stands at entry 12" in behind.says
    assert verifier.apart(one, two) == verifier.Fault(
        5, "checkpoint 2 says otherwise in the second place than in the table"
    )
