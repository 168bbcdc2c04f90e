"""The docs of the guards: every rule stands in them with its limit and its strength."""

from pathlib import Path

import pytest

from agents.guards import RULES, Rule
from agents.verdicts import MEANS

DOCS = Path(__file__).parents[2] / "docs" / "guards.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    """Return the cells of the table of rules, by rule."""
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_rule_stands_in_the_docs_and_no_other(rows: dict[str, list[str]]) -> None:
    assert list(rows) == list(RULES)


@pytest.mark.parametrize(("name", "rule"), RULES.items())
def test_the_docs_say_of_a_rule_what_the_code_says(
    rows: dict[str, list[str]], name: str, rule: Rule
) -> None:
    limit = "off" if rule.limit is None else f"{rule.limit:g} {rule.unit}".strip()
    assert rows[name] == [rule.guard, rule.says or rule.label, limit, rule.strength]


@pytest.mark.parametrize("strength", MEANS)
def test_every_strength_is_explained(strength: str) -> None:
    assert f"| {strength} | " in DOCS.read_text()
