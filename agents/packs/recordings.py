"""What does a folder of recorded runs hold: a State, tools, and jobs with their calls?

Shape: `state.json` (the document), `tools.json` (a list of tools), `jobs.json` (a list of
`{job_id, instruction, initial_overrides, calls, initial_sha256, final_sha256}`).
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from approvals.effects import STATED
from approvals.operations.registering import ActionTypeSpec
from console.canonical import FILE_LIMITS, Json, Unreadable, parse
from snapshots.diff import Change, apply

_TYPES = {"str": "string", "float": "number", "int": "integer", "bool": "boolean"}


class BadRecording(ValueError):
    """The folder does not hold recorded runs; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """One job: how its State begins, what was called, and the digests it must end on."""

    job_id: str
    overrides: list[Change]
    calls: list[dict[str, Any]]
    instruction: str
    initial_sha256: str
    final_sha256: str

    def job_input(self) -> dict[str, Any]:
        """Return the input of the workflow that plays this job."""
        return {"calls": self.calls, "instruction": self.instruction}

    def start(self, document: Json) -> Json:
        """Return the document this job begins with."""
        return apply(document, self.overrides, strict=False)

    def end(self, start: Json, outcomes: dict[int, str]) -> Json:
        """Return what the document must be after these outcomes, by call number.

        What the user changed happened in any case.
        """
        for call in self.calls:
            if call["by"] == "user" or outcomes.get(call["n"]) == "approved":
                changes = [Change.from_json(item) for item in call["changes"]]
                start = apply(start, changes, strict=False)
        return start

    def versions(self, start: Json) -> list[Json]:
        """Return the document at first and after each change, with everything approved."""
        found = [start]
        for call in self.calls:
            is_write = call["kind"] == "write" and not call.get("error")
            if call["changes"] if call["by"] == "user" else is_write:
                changes = [Change.from_json(item) for item in call["changes"]]
                found.append(apply(found[-1], changes, strict=False))
        return found

    def writes(self) -> list[int]:
        """Return the numbers of the agent's writes, in order."""
        return [c["n"] for c in self.calls if c["by"] == "agent" and c["kind"] == "write"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A folder of recorded runs, read."""

    name: str
    document: Json
    action_types: list[ActionTypeSpec]
    jobs: list[RecordedJob]


def digest(document: Json) -> str:
    """Return the digest that the recordings use: SHA-256 of sorted, compact, ASCII JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(folder: Path) -> Recording:
    """Read a folder. Raises: BadRecording."""
    tools, jobs = load(folder / "tools.json"), load(folder / "jobs.json")
    if not isinstance(tools, list) or not isinstance(jobs, list):
        raise BadRecording("tools.json and jobs.json each hold a list.")
    try:
        recorded = [_job(item) for item in jobs]
        specs = _action_types(tools, recorded)
    except KeyError as error:
        raise BadRecording(f"An entry of tools.json or jobs.json lacks {error}.") from error
    except (AttributeError, TypeError) as error:
        raise BadRecording("An entry of tools.json or jobs.json is not an object.") from error
    return Recording(folder.resolve().name, load(folder / "state.json"), specs, recorded)


def load(path: Path) -> Any:
    """Return what a JSON file holds. Raises: BadRecording."""
    try:
        return parse(path.read_bytes(), FILE_LIMITS)
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror}.") from error
    except Unreadable as error:
        raise BadRecording(f"{path.name}: {error.sentence}") from error


def _job(item: Any) -> RecordedJob:
    return RecordedJob(
        job_id=item["job_id"],
        overrides=[Change.from_json(change) for change in item["initial_overrides"]],
        calls=item["calls"],
        instruction=item["instruction"],
        initial_sha256=item["initial_sha256"],
        final_sha256=item["final_sha256"],
    )


def _action_types(tools: list[Any], jobs: Iterable[RecordedJob]) -> list[ActionTypeSpec]:
    calls = [call for job in jobs for call in job.calls if call["kind"] == "write"]
    written = {call["tool"] for call in calls}
    risky = {call["tool"] for call in calls if call.get("high_stakes")}
    return [
        ActionTypeSpec(
            name=tool["name"],
            label=words(tool["name"]),
            sentence=_sentence(tool),
            params_schema=_schema(tool),
            effect=STATED,
            risk=3 if tool["name"] in risky else 2,
        )
        for tool in tools
        if tool.get("type") == "write" or tool["name"] in written
    ]


def words(name: str) -> str:
    """Return a tool's name as people read it; a trailing number is the recording's own."""
    return re.sub(r"_\d+$", "", name).replace("_", " ").capitalize()


def _sentence(tool: Any) -> str:
    shown = [f"{name.replace('_', ' ')} {{{name}}}" for name in list(properties(tool))[:3]]
    return f"{words(tool['name'])}: {', '.join(shown)}" if shown else words(tool["name"])


def properties(tool: Any) -> dict[str, Any]:
    """Return the JSON Schema of each parameter of a tool."""
    if "parameters" in tool:
        declared: dict[str, Any] = tool["parameters"].get("properties", {})
        return declared
    return {name: _type(written) for name, written in tool.get("params", {}).items()}


def _schema(tool: Any) -> dict[str, Any]:
    # A list of annotations does not say which parameters have a default; only a schema does.
    required = tool.get("parameters", {}).get("required", [])
    return {"type": "object", "properties": properties(tool), "required": required}


def _type(written: str) -> dict[str, Any]:
    """Read a Python annotation such as `<class 'str'>` or `typing.Optional[float]`."""
    if written.startswith("typing.Literal"):
        return {"enum": re.findall(r"'([^']*)'", written)}
    found = re.search(r"\b(str|float|int|bool)\b", written)
    kind = _TYPES.get(found.group(1)) if found else None
    if kind is None:
        return {}
    return {"type": [kind, "null"]} if "Optional" in written else {"type": kind}
