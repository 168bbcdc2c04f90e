"""Does an evidence pack hold, if nothing is believed but its bytes?

Everything is computed again from the pack alone: no database, no network, no secret of ours. What
cannot be told from the pack is not claimed: whether its ledger lines are those of the console's
ledger is told by that ledger.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.utils import websafe_decode
from fido2.webauthn import AuthenticatorData, CollectedClientData

from approvals.packing import FORMAT, MEANINGS
from console.canonical import FILE_LIMITS, Json, Unreadable, canonical_bytes, digest, parse
from console.ledger.chain import Line, Seal

_MISSHAPEN = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
    UnsupportedAlgorithm,
)
DECIDED = "proposal.decided"
_SIGNED_LEVEL = 3
_NOTHING: Mapping[str, Any] = {"choice": None, "reason": None}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what is wrong with it, which is mostly nothing."""

    what: str
    wrong: str = ""


def audit(text: bytes) -> list[Finding]:
    """Check a pack as it lies in a file and return everything that was looked at."""
    try:
        pack: Any = parse(text, FILE_LIMITS)
    except Unreadable as error:
        return [Finding("The file is JSON", error.sentence)]
    if not isinstance(pack, dict) or pack.get("format") != FORMAT:
        return [Finding("The file is an evidence pack", f"its format is not {FORMAT}")]
    found: list[Finding] = []
    try:
        found.extend(_findings(text, pack))
    except _MISSHAPEN as error:
        found.append(Finding("The pack is complete", f"a part is missing or misshapen: {error!r}"))
    return found


def _findings(text: bytes, pack: dict[str, Any]) -> Iterator[Finding]:
    body = {name: value for name, value in pack.items() if name != "digest"}
    yield _same("The pack's own digest", pack["digest"], digest(body))
    yield _same("The file is written canonically", text.strip(), canonical_bytes(pack))
    for row in pack["revisions"]:
        what = f"Revision {row['number']}: the digest of its sealed bytes"
        yield _same(what, row["digest"], _sha256(row["sealed"]))
    yield from _evidence(pack)
    yield from _decisions(pack)
    for row in pack["signatures"]:
        yield from _signature(row, pack)
    yield from _signed_where_asked(pack)
    yield from _executions(pack)
    yield from _ledger(pack)


def _evidence(pack: dict[str, Any]) -> Iterator[Finding]:
    for row in pack["evidence"]:
        what = f"Evidence E{row['number']}: the digest of its content"
        yield _same(what, row["digest"], _sha256(row["content"]))


def _decisions(pack: dict[str, Any]) -> Iterator[Finding]:
    worded = {row["number"]: row["digest"] for row in pack["revisions"]}
    lines = pack["ledger"]["lines"]
    recorded = dict(_decided(row) for row in lines if row["verb"] == DECIDED)
    # At level 3 what was chosen stands in the line that settled it.
    told = {vote["decision"]: vote for row in lines for vote in row["body"].get("votes", [])}
    for row in pack["decisions"]:
        whose = f"{row['by']['name']}'s decision"
        what = f"{whose} is on revision {row['revision']}"
        yield _same(what, row["digest"], worded.get(row["revision"]))
        signed = [each["digest"] for each in pack["signatures"] if each["decision"] == row["id"]]
        made = (row["by"]["id"], row["revision"], row["digest"], "".join(signed))
        said = recorded.get(made, _NOTHING)
        said = said if "choice" in said else told.get(row["id"], _NOTHING)
        wrong = "" if _says(said) == _says(row) else "no line of the ledger says this"
        yield Finding(f"{whose} stands in the ledger", wrong)
    left_out = "" if len(recorded) == len(pack["decisions"]) else "the ledger has another number"
    yield Finding("No decision is left out", left_out)


def _says(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["choice"], row["reason"]


def _decided(row: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    body = row["body"]
    made = (row["actor"]["id"], body["revision"], body["digest"], body.get("signature", ""))
    return made, body


def _signature(row: dict[str, Any], pack: dict[str, Any]) -> Iterator[Finding]:
    whose = f"{row['printed_name']}'s signature"
    stated: Any = parse(row["statement"].encode(), FILE_LIMITS)
    yield _same(f"{whose}: the digest of its statement", row["digest"], _sha256(row["statement"]))
    yield _same(
        f"{whose}: the digest of what was shown", row["render_digest"], _sha256(row["rendering"])
    )
    yield _same(f"{whose}: what it states", stated, {**_should_state(row, pack), **_free(stated)})
    shown: Any = parse(row["rendering"].encode(), FILE_LIMITS)
    yield _same(
        f"{whose}: what was shown is the wording that was signed",
        [shown["proposal"], shown["revision"], shown["revision_digest"]],
        [stated["proposal"], stated["revision"], stated["revision_digest"]],
    )
    known = {sentence for by_choice in MEANINGS.values() for sentence in by_choice.values()}
    yield Finding(
        f"{whose}: its meaning", "" if row["meaning"] in known else "no form of ours offers it"
    )
    if row["method"] == "passkey":
        yield Finding(f"{whose}: the passkey signed the statement", _wrong_with_passkey(row))


def _should_state(row: dict[str, Any], pack: dict[str, Any]) -> dict[str, Json]:
    decision = {item["id"]: item for item in pack["decisions"]}[row["decision"]]
    return {
        "format": "countersign-signature/1",
        "signer": {"id": decision["by"]["id"], "printed_name": row["printed_name"]},
        "signed_at": row["signed_at"],
        "meaning": row["meaning"],
        "choice": decision["choice"],
        "proposal": pack["proposal"]["id"],
        "revision": decision["revision"],
        "revision_digest": decision["digest"],
        "render_digest": row["render_digest"],
    }


def _free(stated: dict[str, Json]) -> dict[str, Json]:
    """Return what of a statement nothing else in a pack says."""
    return {"nonce": stated["nonce"]}


def _wrong_with_passkey(row: dict[str, Any]) -> str:
    """Say why a passkey's answer does not hold, or nothing. Source: WebAuthn, section 7.2."""
    kept = row["assertion"]
    answer = kept["response"]
    client = CollectedClientData(websafe_decode(answer["client_data"]))
    data = AuthenticatorData(websafe_decode(answer["authenticator_data"]))
    if client.challenge.hex() != row["digest"]:
        return "it signed something else than the statement"
    if client.type != CollectedClientData.TYPE.GET:
        return "it was not asked to sign"
    if data.rp_id_hash != hashlib.sha256(kept["host"].encode()).digest():
        return "it signed for another console"
    if not data.is_user_verified():
        return "it did not ask for a PIN, a finger or a face"
    key = CoseKey.parse(cast("Any", cbor.decode(bytes.fromhex(kept["public_key"]))))
    try:
        key.verify(bytes(data) + client.hash, websafe_decode(answer["signature"]))
    except InvalidSignature:
        return "the signature does not hold for the key"
    return ""


def _signed_where_asked(pack: dict[str, Any]) -> Iterator[Finding]:
    levels = {row["number"]: row["terms"]["level"] for row in pack["revisions"]}
    signed = {row["decision"] for row in pack["signatures"]}
    for row in pack["decisions"]:
        asked = levels[row["revision"]] >= _SIGNED_LEVEL and row["choice"] != "request_changes"
        if asked:
            wrong = "" if row["id"] in signed else "its terms ask for a signature, and it has none"
            yield Finding(f"{row['by']['name']}'s decision is signed", wrong)


def _executions(pack: dict[str, Any]) -> Iterator[Finding]:
    worded = {row["number"]: row["digest"] for row in pack["revisions"]}
    for row in pack["executions"]:
        what = f"What was carried out is revision {row['revision']}"
        yield _same(what, row["digest"], worded.get(row["revision"]))
        # Packs that were made before anything left the house name no attempts.
        for each in row.get("attempts", []):
            yield _same(
                f"Attempt {each['number']}: the digest of what was sent",
                each["request_digest"],
                hashlib.sha256(_sent(each)).hexdigest(),
            )


def _sent(attempt: dict[str, Any]) -> bytes:
    if "request" in attempt:
        return str(attempt["request"]).encode()
    return base64.b64decode(attempt["request_base64"], validate=True)


def _ledger(pack: dict[str, Any]) -> Iterator[Finding]:
    lines = pack["ledger"]["lines"]
    wrong = [_wrong_with_line(row, pack) for row in lines]
    yield Finding(f"{len(lines)} ledger lines have their digests", _first(wrong))
    pairs = [_wrong_with_pair(*pair) for pair in pairwise(lines)]
    yield Finding("The ledger lines follow each other", _first(pairs))
    end = pack["ledger"]["end"]
    if end and lines:
        last = lines[-1]
        is_end = last["seq"] == end["seq"]
        wrong_end = last["seq"] > end["seq"] or (is_end and last["digest"] != end["digest"])
        yield Finding("No line stands behind the end", "one does" if wrong_end else "")


def _wrong_with_line(row: dict[str, Any], pack: dict[str, Any]) -> str:
    line = Line(
        workspace=pack["workspace"]["id"],
        seq=row["seq"],
        at=datetime.fromisoformat(row["at"]),
        actor=row["actor"],
        verb=row["verb"],
        subject=row["subject"],
        body=row["body"],
    )
    if row["subject"] != f"proposal:{pack['proposal']['id']}":
        return f"line {row['seq']} is about something else"
    seal = Seal(row["previous"], row["digest"])
    is_whole = seal == Seal(row["previous"], line.digest(row["previous"]))
    return "" if is_whole else f"line {row['seq']} was altered"


def _wrong_with_pair(one: dict[str, Any], other: dict[str, Any]) -> str:
    if other["seq"] <= one["seq"]:
        return f"line {other['seq']} stands behind line {one['seq']}"
    if other["seq"] == one["seq"] + 1 and other["previous"] != one["digest"]:
        return f"line {other['seq']} does not follow line {one['seq']}"
    return ""


def _first(wrong: Iterable[str]) -> str:
    return next(filter(None, wrong), "")


def _same(what: str, said: object, found: object) -> Finding:
    return Finding(what, "" if said == found else "what is said and what was computed differ")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
