"""How do the agents of accounts payable work through an errand?

A coordinator hands the errand to an invoice clerk, who reads the papers and says what to do; a
critic comments; people decide. The models are scripted: the same job tells the same story.
"""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from agents.packs.conversing import Draft, converse
from agents.packs.errands import commented, expected
from agents.packs.finance.evidence import exhibit
from agents.packs.finance.minding import keep_account, keep_decision, known
from agents.packs.finance.paying import payee
from agents.packs.finance.reading import READS
from agents.packs.finance.staffing import (
    CLERK,
    CLERK_INSTRUCTIONS,
    COORDINATOR,
    CRITIC,
    CRITIC_INSTRUCTIONS,
)
from agents.providers import Scripted
from agents.workflows import Context, Exhibit, Message, Outcome, Reply, ToolFailed
from console.canonical import Json

Papers = list[tuple[str, str, dict[str, Any]]]

SCRIPT: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("script.json").read_text(encoding="utf-8")
)
INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "only": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(SCRIPT)},
        }
    },
}
LOOKS_AGAIN = 2
_KINDS = {
    "PAY-": "payment",
    "PO-": "purchase_order",
    "GR-": "goods_receipt",
    "M-": "message",
    "V-": "vendor",
    "R-": "invoice",
    "B-": "posting",
}
_KEYS = re.compile(rf"\b(?:{'|'.join(_KINDS)})[A-Z0-9-]*[0-9]\b")


def work(context: Context) -> Json:
    """Work through the errands one by one; return what became of each."""
    outcomes: dict[str, Json] = {}
    for name in context.job_input.get("only", list(SCRIPT)):
        outcome = _settle(context, name)
        outcomes[name] = {"status": outcome.status, "reason": outcome.reason}
    return context.give(agent=COORDINATOR, value={"outcomes": outcomes})


def asked(job_input: dict[str, Any]) -> Json:
    """Return what was asked for: the errands, in the words of whoever gave them."""
    return [SCRIPT[name]["errand"] for name in job_input.get("only", list(SCRIPT))]


expects = partial(expected, SCRIPT)


def _settle(context: Context, name: str) -> Outcome:
    """Carry an errand out; look again where the record moved before the action was carried out."""
    outcome = _carry(context, name, SCRIPT[name])
    for _ in range(LOOKS_AGAIN):
        if outcome.status != "stale":
            break
        outcome = _carry(context, name, SCRIPT[name])
    return outcome


def _carry(context: Context, name: str, errand: dict[str, Any]) -> Outcome:
    context.handoff(
        from_agent=COORDINATOR, to_agent=CLERK, content=errand["errand"], value={"errand": name}
    )
    document = context.read(agent=CLERK)
    try:
        papers = [
            (kind, key, _look_up(context, document, kind, key)) for kind, key in errand["look_up"]
        ]
    except ToolFailed as failed:
        return Outcome("skipped", str(failed))
    vendor, before = _remembered(context, papers)
    about: dict[str, Json] = {"task": name, "papers": _named(papers), "known": before}
    draft = _ask(context, CLERK, CLERK_INSTRUCTIONS, about)
    action: Any = context.give(agent=CLERK, value=draft.data)
    ask = partial(_ask, context, CRITIC, CRITIC_INSTRUCTIONS, {"task": name, "draft": action})
    comment = commented(context, draft, ask, drafter=CLERK, critic=CRITIC)
    outcome = context.propose(
        agent=CLERK,
        action_type=action["action_type"],
        params=action["params"],
        evidence=_exhibits(action, papers),
        rationale=f"{draft.text}\n\n{comment}",
        converses=True,
    )
    said = Draft(CLERK, action["params"], draft.text, [f"{kind} {key}" for kind, key, _ in papers])
    fetch = partial(_fetch, context, document, action, papers)
    outcome = converse(context, outcome, said, fetch)
    if vendor:
        keep_decision(context, agent=CLERK, vendor=vendor, action=action, outcome=outcome)
    return outcome


def _remembered(context: Context, papers: Papers) -> tuple[str, dict[str, Json]]:
    """Return the vendor that the papers are about and what is known of it; keep its account."""
    found = next(((key, paper) for kind, key, paper in papers if kind == "vendor"), None)
    if found is None:
        return "", {}
    vendor, paper = found
    before = known(context, agent=CLERK, vendor=vendor)
    keep_account(context, agent=CLERK, vendor=vendor, bank=paper["bank"], before=before)
    return vendor, before


def _look_up(context: Context, document: Any, kind: str, key: str) -> dict[str, Any]:
    found: Any = context.tool(
        agent=CLERK,
        name=READS[kind].name,
        args={kind: key},
        function=partial(_find, document, kind, key),
    )
    return dict(found)


def _fetch(
    context: Context, document: Any, action: dict[str, Any], papers: Papers, text: str
) -> list[Exhibit]:
    """Read the papers that a text names and that were not read before."""
    known = {key for _, key, _ in papers}
    found: Papers = []
    for key in dict.fromkeys(_KEYS.findall(text)):
        kind = next(kind for prefix, kind in _KINDS.items() if key.startswith(prefix))
        if key not in known:
            try:
                found.append((kind, key, _look_up(context, document, kind, key)))
            except ToolFailed:
                continue
    papers += found
    return _exhibits(action, found)


def _find(document: Any, kind: str, key: str) -> Json:
    return READS[kind].function(document, **{kind: key})


def _ask(context: Context, agent: str, instructions: str, about: dict[str, Json]) -> Reply:
    content = json.dumps(about, ensure_ascii=False, sort_keys=True)
    message = Message(instructions=instructions, content=content)
    provider = Scripted(_clerk if agent == CLERK else _critic, name=f"scripted-{agent}")
    return context.model(agent=agent, message=message, provider=provider)


def _clerk(message: Message) -> Reply:
    about = json.loads(message.content)
    errand = SCRIPT[about["task"]]
    params = {**errand["params"], **_payee(errand, about["papers"])}
    action: Json = {"action_type": errand["action_type"], "params": params}
    return Reply(text=errand["rationale"], data=action)


def _payee(errand: dict[str, Any], papers: dict[str, Any]) -> dict[str, Json]:
    """Return whom a payment goes to, from the papers; nothing where none is made."""
    if errand["action_type"] != "release_payment":
        return {}
    of = {kind: papers[f"{kind}:{key}"] for kind, key in errand["look_up"]}
    return payee(of["vendor"], of["invoice"])


def _critic(message: Message) -> Reply:
    return Reply(text=SCRIPT[json.loads(message.content)["task"]]["critic"])


def _named(papers: Papers) -> dict[str, Json]:
    return {f"{kind}:{key}": paper for kind, key, paper in papers}


def _exhibits(action: dict[str, Any], papers: Papers) -> list[Exhibit]:
    return [
        exhibit(action["action_type"], action["params"], kind, key, paper)
        for kind, key, paper in papers
    ]
