"""What can be looked up in the ward's record, and by which tool?"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from agents.declarations import Tool
from agents.packs.care.record import Record, entry, note
from agents.packs.errands import found
from agents.toolmaking import tool

Name = Annotated[str, Field(min_length=1, max_length=60)]


@tool
def read_notes(record: Any, message: Name) -> Record:
    """Return one note to the ward, such as N-311: from whom, about whom, and its text."""
    return found(lambda: note(record, message))


@tool
def look_up_chart(record: Any, patient: Name) -> Record:
    """Return a patient's chart, such as P-204: orders, allergies, weight and kidney function."""
    return _entry(record, "patients", patient)


@tool
def look_up_result(record: Any, result: Name) -> Record:
    """Return a laboratory result, such as L-8801."""
    return _entry(record, "results", result)


@tool
def look_up_formulary(record: Any, drug: Name) -> Record:
    """Return what the formulary says of a drug: routes, ranges, limits, and whether it is risky."""
    return _entry(record, "formulary", drug)


# What the script calls a kind of paper, and the tool that reads it.
READS: Mapping[str, Tool] = {
    "message": read_notes,
    "patient": look_up_chart,
    "result": look_up_result,
    "drug": look_up_formulary,
}


def _entry(record: Any, part: str, key: str) -> Record:
    return found(lambda: entry(record, part, key))
