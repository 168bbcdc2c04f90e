"""How do the agents of the ward work through an errand?

A coordinator hands the errand to a pharmacist agent, which reads chart, results and formulary and
says what to do; a critic comments; people decide. The models are scripted: the same job tells
the same story.
"""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from agents.packs.care.evidence import exhibit
from agents.packs.care.minding import keep_clearance, keep_decision, known
from agents.packs.care.reading import READS
from agents.packs.care.staffing import (
    COORDINATOR,
    CRITIC,
    CRITIC_INSTRUCTIONS,
    PHARMACIST,
    PHARMACIST_INSTRUCTIONS,
)
from agents.packs.conversing import Draft, converse
from agents.packs.errands import commented, expected
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
_KINDS = {"N": "message", "L": "result", "P": "patient"}
_KEYS = re.compile(r"\b[NLP]-[0-9]+\b")


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
        from_agent=COORDINATOR,
        to_agent=PHARMACIST,
        content=errand["errand"],
        value={"errand": name},
    )
    document = context.read(agent=PHARMACIST)
    try:
        papers = [
            (kind, key, _look_up(context, document, kind, key)) for kind, key in errand["look_up"]
        ]
    except ToolFailed as failed:
        return Outcome("skipped", str(failed))
    patient, before = _remembered(context, papers)
    read: Json = {f"{kind}:{key}": paper for kind, key, paper in papers}
    about: dict[str, Json] = {"task": name, "papers": read, "known": before}
    draft = _ask(context, PHARMACIST, PHARMACIST_INSTRUCTIONS, about)
    action: Any = context.give(agent=PHARMACIST, value=draft.data)
    ask = partial(_ask, context, CRITIC, CRITIC_INSTRUCTIONS, {"task": name, "draft": action})
    comment = commented(context, draft, ask, drafter=PHARMACIST, critic=CRITIC)
    outcome = context.propose(
        agent=PHARMACIST,
        action_type=action["action_type"],
        params=action["params"],
        evidence=[exhibit(document, action, kind, key, paper) for kind, key, paper in papers],
        rationale=f"{draft.text}\n\n{comment}",
        converses=True,
    )
    names = [f"{kind} {key}" for kind, key, _ in papers]
    said = Draft(PHARMACIST, action["params"], draft.text, names)
    fetch = partial(_fetch, context, document, action, papers)
    outcome = converse(context, outcome, said, fetch)
    if patient:
        keep_decision(context, agent=PHARMACIST, patient=patient, action=action, outcome=outcome)
    return outcome


def _remembered(context: Context, papers: Papers) -> tuple[str, dict[str, Json]]:
    """Return the patient whom the papers are about and what is known; keep the clearance."""
    found = next(((key, paper) for kind, key, paper in papers if kind == "patient"), None)
    if found is None:
        return "", {}
    patient, chart = found
    before = known(context, agent=PHARMACIST, patient=patient)
    keep_clearance(context, agent=PHARMACIST, patient=patient, chart=chart, before=before)
    return patient, before


def _look_up(context: Context, document: Any, kind: str, key: str) -> dict[str, Any]:
    found: Any = context.tool(
        agent=PHARMACIST,
        name=READS[kind].name,
        args={kind: key},
        function=partial(_find, document, kind, key),
    )
    return dict(found)


def _fetch(
    context: Context, document: Any, action: dict[str, Any], papers: Papers, text: str
) -> list[Exhibit]:
    """Read the notes and results that a text names and that were not read before."""
    known = {key for _, key, _ in papers}
    found: Papers = []
    for key in dict.fromkeys(_KEYS.findall(text)):
        if key not in known:
            try:
                kind = _KINDS[key[0]]
                found.append((kind, key, _look_up(context, document, kind, key)))
            except ToolFailed:
                continue
    papers += found
    return [exhibit(document, action, kind, key, paper) for kind, key, paper in found]


def _find(document: Any, kind: str, key: str) -> Json:
    return READS[kind].function(document, **{kind: key})


def _ask(context: Context, agent: str, instructions: str, about: dict[str, Json]) -> Reply:
    content = json.dumps(about, ensure_ascii=False, sort_keys=True)
    message = Message(instructions=instructions, content=content)
    provider = Scripted(_pharmacist if agent == PHARMACIST else _critic, name=f"scripted-{agent}")
    return context.model(agent=agent, message=message, provider=provider)


def _pharmacist(message: Message) -> Reply:
    errand = SCRIPT[json.loads(message.content)["task"]]
    action: Json = {"action_type": errand["action_type"], "params": errand["params"]}
    return Reply(text=errand["rationale"], data=action)


def _critic(message: Message) -> Reply:
    return Reply(text=SCRIPT[json.loads(message.content)["task"]]["critic"])
