"""Do the parameters of an action fit its schema, and what is its title in words?"""

import re
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

_WORD = re.compile(r"\{(\w+)\}")
TITLE_AT_MOST = 300


def schema_objection(schema: dict[str, Any]) -> str | None:
    """Say why a schema cannot be used, or nothing."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"The parameter schema is not valid: {error.message}"
    return None


def objections_to(params: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what does not fit, as (field, sentence), sorted by field; unknown fields too."""
    validator = Draft202012Validator({"additionalProperties": False, **schema})
    found = [(_field(error), error.message) for error in validator.iter_errors(params)]
    return sorted(found)[:20]


def _field(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    named = re.search(
        r"'([^']+)' (?:is a required property|was unexpected|were unexpected)", error.message
    )
    return ".".join(part for part in (place, named.group(1) if named else "") if part)


def title(template: str, words: dict[str, Any]) -> str:
    """Fill a sentence template such as `Pay {amount} to {vendor}`; the model writes none of it."""

    def word(match: re.Match[str]) -> str:
        value = words.get(match.group(1))
        return "…" if value is None else str(value)

    return _WORD.sub(word, template)[:TITLE_AT_MOST]
