"""Where does an agent say that something was approved, in its own words?

Such words count for nothing: what was approved stands in decisions. A claim is borne out only by
the proposals that it names; whether those were approved, the caller finds out. A rule of English
words finds what is said plainly; whoever says it otherwise gains nothing by it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from approvals.policy import AUTO, SIGNED, Terms, Threshold
from console.canonical import Json

CHECK: Final = "Nothing is said to be approved that was not"
RULE: Final = "false_authority"
CLAIMS_AT_MOST: Final = 10
_QUOTE_AT_MOST = 300
_NAMED_AT_MOST = 3

_WHAT = (
    r"(?:approv(?:al|als)|authori[sz]ations?|authority|sign-?\s?offs?|permission|clearance|"
    r"go-?\s?ahead|green\s+light|blessing)"
)
_DID = (
    r"(?:pre-?\s?)?(?:approved|authori[sz]ed|signed[-\s]off(?:\s+on)?|okayed|ok[’']?d|ok-ed|"
    r"green-?\s?lit|green-?\s?lighted|waved\s+through)"
)
_HOW = (
    r"(?:(?:already|previously|formally|verbally|orally|duly|fully|explicitly|expressly|just|also|"
    r"since|both|all|now|today|yesterday|personally|officially|finally|clearly|in\s+advance|"
    r"in\s+writing|in\s+principle)\s+)*"
)
_WHO = (
    r"(?:c[efot]o|controller|comptroller|treasurer|treasury|management|manager|supervisor|"
    r"director|boss|board|compliance|legal|finance|head\s+of\s+\w+|vice\s+president|vp|owner|"
    r"physician|doctor|attending|consultant|pharmacist|prescriber|nurse|reviewers?|approvers?|"
    r"admin(?:istrator)?s?|auditors?|committee|team\s+lead|superior|human|operator)"
)
_NOT_A_GRANT = (
    r"(?!\s*(?:limit|work-?flow|process|polic|matrix|level|request|queue|step|rule|threshold|form|"
    r"chain|page|is\s+(?:needed|required|necessary|pending|missing)|will\b|must\b|should\b))"
)
_QUALIFIED = (
    r"(?:(?:the|an?|his|her|their|its|my|our|all|prior|verbal|oral|written|explicit|full|formal|"
    r"final|necessary|required|proper|management|manager[’']s|ceo|cfo|[a-z]+[’']s)\s+)*"
)
_MORE = r"(?:(?:any|further|additional|human|manual|other|second|more|separate|new|the)\s+)*"
_ANY_OF = rf"(?:{_WHAT}|human\s+review|consent)"
# Each says plainly that it was approved, or that nobody has to.
_SAYINGS: Final = tuple(
    re.compile(saying, re.IGNORECASE)
    for saying in (
        rf"\b(?:was|were|is|are|it[’']s|that[’']s|got)\s+{_HOW}{_DID}\b",
        rf"\b(?:has|have|had|[a-z]+[’']s|[a-z]+[’']ve)\s+{_HOW}been\s+{_HOW}{_DID}\b",
        rf"\b{_DID}\s+(?:in\s+\w+\s+|verbally\s+|on\s+\w+\s+)?by\b"
        r"(?!\s+(?:the\s+)?(?:fda|ema|mhra|bfarm|swissmedic)\b)[\s:]*\w",
        rf"\b{_DID}\s+(?:per|via|over|on)\s+(?:the\s+)?(?:e-?mail|phone|telephone|call|chat|slack)",
        rf"\b(?:already|previously|pre-|duly|fully|as)\s*{_DID}\b",
        rf"\b(?:has|have|had|\w+)\s+{_HOW}{_DID}\s+(?:this|it|that|these|them|both)\b",
        rf"\b{_WHO}\s+(?:has\s+|have\s+|had\s+)?{_HOW}(?:{_DID}|agreed|consented)\b",
        rf"\b{_WHO}\s+(?:has\s+|have\s+)?{_HOW}(?:said|says|told\s+(?:me|us))\s+"
        r"(?:yes|ok\b|okay|go\s+ahead|to\s+go\s+ahead|to\s+proceed|it[’']?\s?i?s\s+(?:ok|fine))",
        rf"\b(?:gave|given|gives|granted)\s+(?:me\s+|us\s+|it\s+)?{_QUALIFIED}(?:{_WHAT}|ok|okay)\b"
        rf"{_NOT_A_GRANT}",
        rf"\b{_WHAT}\s+(?:was|were|is|has\s+been|have\s+been|had\s+been)\s+{_HOW}"
        r"(?:given|granted|obtained|received|secured|confirmed|issued|on\s+file|in\s+place|waived)",
        rf"\b(?:have|has|had|got|received|obtained|secured)\s+{_QUALIFIED}{_WHAT}\b{_NOT_A_GRANT}",
        rf"\bwith\s+{_QUALIFIED}{_WHAT}\s+(?:of|from|by)\b",
        r"\b(?:approval|authori[sz]ation|sign-?off)\s+"
        r"(?:ref(?:erence)?|no|number|code|id|ticket)\b\W{0,3}[\w-]*\d",
        rf"\bno\s+{_MORE}{_ANY_OF}\s+(?:\w+\s+)?(?:is\s+|was\s+|are\s+|will\s+be\s+)?"
        r"(?:needed|required|necessary)",
        rf"\b(?:does|do|did)(?:\s+not|n[’']t)\s+(?:need|require)\s+{_MORE}{_ANY_OF}",
        rf"\b(?:needs?|requires?)\s+no\s+{_MORE}{_ANY_OF}",
        rf"\b{_ANY_OF}\s+(?:is|was|are)(?:\s+not|n[’']t)\s+(?:needed|required|necessary)",
        rf"\bwithout\s+(?:the\s+)?need(?:ing)?\s+(?:for\s+|of\s+)?{_MORE}{_ANY_OF}",
        rf"\bexempt(?:ed)?\s+from\s+{_MORE}{_ANY_OF}",
        rf"\bas\s+agreed\s+with\s+(?:the\s+|our\s+)?{_WHO}\b",
    )
)
# What stands in the same clause before a saying and takes it back, or makes a condition of it.
_IF = re.compile(
    r"\b(?:if|whether|once|until|unless|as\s+soon\s+as|in\s+case|provided|should)\b|"
    r"\b(?:when|after|before)\s+(?:\S+\s+){0,2}$",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"(?:\b(?:not|never|nobody|no\s+one|none|nothing|neither|nor|cannot|hardly|un|yet\s+to|to\s+be|"
    r"be|being|must|needs?\s+to|allegedly|supposedly|purportedly)|n[’']t)\s+(?:\w+\s+){0,2}$",
    re.IGNORECASE,
)
_WHOEVER = re.compile(r"^(?:not|never|nobody|no\s+one|none|be|being|to)\b", re.IGNORECASE)
_REGULATOR = re.compile(
    r"\s*(?:by\s+(?:the\s+)?)?(?:fda|ema|mhra|bfarm|swissmedic)\b|"
    r"\s*for\s+(?:use|treat|the\s+treat|adults|children|patients)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()–—]|\s-\s|\b(?:and|but|so|because)\b", re.IGNORECASE)
# An initial is no end of a sentence.
_BETWEEN = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+|\n+")
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence in which an agent says that something was approved, and where it stands.

    `named` are the proposals that it names for that.
    """

    quote: str
    place: str
    named: frozenset[UUID] = frozenset()

    def to_json(self) -> dict[str, Json]:
        """Return what the revision's row keeps."""
        return {"quote": self.quote, "place": self.place}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Claim":
        """Return the claim that a revision's row keeps."""
        return cls(kept["quote"], kept["place"])


def claims(texts: Iterable[tuple[str, str]]) -> list[Claim]:
    """Return the claims in texts, each of them a place and what stands there; said twice, once."""
    found: dict[str, Claim] = {}
    for place, text in texts:
        for sentence in _sentences(text):
            if says_approved(sentence):
                quote = sentence[:_QUOTE_AT_MOST]
                named = frozenset(UUID(each) for each in _ID.findall(sentence))
                found.setdefault(quote, Claim(quote, place, named))
    return list(found.values())[:CLAIMS_AT_MOST]


def unfounded(found: Iterable[Claim], approved: Collection[UUID]) -> list[Claim]:
    """Return the claims that name no proposal, or one that was not approved."""
    return [claim for claim in found if not claim.named or not claim.named <= {*approved}]


def says_approved(sentence: str) -> bool:
    """Say whether a sentence claims that something was approved, or that nobody has to."""
    if sentence.rstrip().endswith("?"):
        return False
    return any(
        _stands(sentence, match.start(), match.end())
        for saying in _SAYINGS
        for match in saying.finditer(sentence)
    )


def words(
    rationale: str,
    params: Mapping[str, Any],
    stated: Iterable[tuple[str, Any]] = (),
    exhibits: Iterable[tuple[str, str, str]] = (),
) -> Iterator[tuple[str, str]]:
    """Return the texts in which whoever proposes speaks for itself, each with its place.

    `stated` are the paths and values that it would write. Of the exhibits (label, source, content)
    those count that it has written: a paper that names its source, `invoice:4711`, is quoted.
    """
    yield "explanation", rationale
    yield from _texts("params", params)
    for path, value in stated:
        yield from _texts(path, value, path.rsplit("/", 1)[-1])
    for label, source, content in exhibits:
        yield "evidence", label
        if is_own(source):
            yield "evidence", content


def is_own(source: str) -> bool:
    """Say whether an exhibit holds the words of an agent or program and not those of a paper."""
    kind = source.strip().casefold().split(":")[0].split(" ")[0]
    return kind in {"", "agent", "client", "rationale", "reasoning", "note", "self"}


def sentence_of(found: Sequence[Claim]) -> str:
    """Say what is wrong with these claims, for whoever reads the proposal."""
    quoted = "; ".join(f"“{claim.quote}”" for claim in found[:_NAMED_AT_MOST])
    stop = "" if quoted.removesuffix("”").endswith((".", "!", "?", "…")) else "."
    return f"It says that this was approved: {quoted}{stop} No such decision exists."


def lifted(terms: Terms) -> Terms:
    """Return terms one level higher, at most the highest, with as many to agree as before.

    What no person was asked about, one is.
    """
    if terms.level == AUTO:
        return replace(terms, level=1, thresholds=terms.thresholds or (Threshold(approve=1),))
    return replace(terms, level=min(terms.level + 1, SIGNED))


def _stands(sentence: str, start: int, end: int) -> bool:
    """Say whether nothing before a saying takes it back."""
    before = _CLAUSE.split(sentence[:start])[-1]
    if _IF.search(before) or _NOT.search(before) or _WHOEVER.match(sentence[start:end]):
        return False
    return not _REGULATOR.match(sentence[end:])


def _sentences(text: str) -> Iterator[str]:
    shown = "".join(
        letter
        for letter in unicodedata.normalize("NFKC", text)
        if unicodedata.category(letter) != "Cf"
    )
    for part in _BETWEEN.split(shown):
        if sentence := " ".join(part.split()):
            yield sentence


def _texts(place: str, value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(f"{place}/{key}", part, str(key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _texts(f"{place}/{number}", part, name)
    elif isinstance(value, str) and value.strip():
        # “approved_by” says it as well as a sentence does.
        yield place, f"{name.replace('_', ' ')}: {value}" if "by" in name.split("_") else value
