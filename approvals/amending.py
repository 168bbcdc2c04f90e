"""What does a change of the policies make of them, and what should whoever agrees to it know?

A change puts one rule, removes or moves it, or takes over a starter pack as a whole. It names the
version of the rule that its author looked at, so that nobody overwrites what they have not seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from approvals import effects
from approvals.effects import CannotDo, Check, Document, Effect, Params
from approvals.fields import Field
from approvals.policy import AUTO, Terms
from approvals.rulebook import EFFECT, Rule, document, rules_of
from approvals.rulecheck import BadRule, checked
from console.canonical import Json

Op = Literal["put", "remove", "move", "adopt"]
RULES_AT_MOST: Final = 500
LABEL: Final = "Change the policies"
SENTENCE: Final = "{sentence}"
_NAME: Final = {"type": "string", "maxLength": 120}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["op"],
    "properties": {
        "op": {"enum": ["put", "remove", "move", "adopt"]},
        "rule": {"type": "object"},
        "rules": {"type": "array", "items": {"type": "object"}, "maxItems": 50},
        "name": _NAME,
        "version": {"type": "integer", "minimum": 0},
        "before": _NAME,
        "by": {"type": "array", "items": _NAME, "maxItems": 4},
    },
}
FIELDS: Final = (
    Field("/rules/*", "Order", "auto", group="Order of the rules"),
    Field("/rules/*/name", "Name", "text", group="Rule"),
    Field("/rules/*/version", "Version", "integer", group="Rule"),
    Field("/rules/*/mode", "Mode", "enum", group="Rule", risk=2),
    Field("/rules/*/match", "Which actions", "text", group="Rule", risk=2),
    Field("/rules/*/note", "Note", "text", group="Rule"),
    Field("/rules/*/by/**", "Changed by, who may not decide under it", "auto", group="Rule"),
    Field("/rules/*/level", "Level", "integer", group="Who must agree", risk=3),
    Field("/rules/*/thresholds/**", "Who must agree", "auto", group="Who must agree", risk=3),
    Field("/rules/*/sample", "Share looked at afterwards", "decimal", group="Who must agree"),
    Field("/rules/*/edits", "May be edited", "bool", group="Who must agree"),
    Field("/rules/*/expires_seconds", "Deadline", "integer", "seconds", group="Time"),
    Field("/rules/*/hold_seconds", "Hold", "integer", "seconds", group="Time"),
    Field("/rules/*/then", "After the deadline", "enum", group="Time"),
    Field("/rules/*/escalate_seconds", "Then they have", "integer", "seconds", group="Time"),
    Field("/rules/*/escalate_to/**", "Then it goes to", "auto", group="Time", risk=2),
    Field("/rules/*/limits/**", "Limit", "auto", group="Limits", risk=3),
)


class Outdated(CannotDo):
    """The rule is not the one any more that the author of a change looked at."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """One change of the policies.

    `rule` or `rules` are as the document keeps them. `name` is whom it is about, empty where the
    rule is new; `version` the one of it that its author saw; `before` the rule that it is put in
    front of, empty for where it stands, or the end. `by` are the references of its author, empty
    for the system, which answers for nothing.
    """

    op: Op
    rule: Mapping[str, Any] | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    name: str = ""
    version: int = 0
    before: str = ""
    by: tuple[str, ...] = ()

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the action."""
        said: dict[str, Any] = {"op": self.op}
        if self.rule is not None:
            said["rule"] = dict(self.rule)
        if self.rules:
            said["rules"] = [dict(rule) for rule in self.rules]
        if self.name:
            said |= {"name": self.name, "version": self.version}
        if self.by:
            said["by"] = [*self.by]
        return {**said, "before": self.before} if self.before else said

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "Amendment":
        """Return what the parameters of the action say."""
        lists = {name: tuple(params.get(name, ())) for name in ("rules", "by")}
        return cls(**{**params, **lists})


def install() -> None:
    """Make the effect known."""
    effects.register(EFFECT, Effect(_preview, _checks, _facts))


def amended(rules: Iterable[Rule], change: Amendment) -> list[Rule]:
    """Return the rules after a change. Raises: CannotDo, BadRule."""
    kept = list(rules)
    match change.op:
        case "put":
            found = _put(kept, change)
        case "remove":
            found = [rule for rule in kept if rule is not _meant(kept, change)]
        case "move":
            meant = _meant(kept, change)
            # Whoever moved a rule decided what it is asked about; who wrote it, what it says.
            both = tuple(dict.fromkeys([*meant.terms.by, *change.by]))
            rest = [rule for rule in kept if rule is not meant]
            found = _placed(rest, _written(meant, both), change.before)
        case _:
            new = (_numbered(checked(rule), 1) for rule in change.rules)
            found = [*kept, *(_written(rule, change.by) for rule in new)]
    return _sound(found)


def _put(kept: list[Rule], change: Amendment) -> list[Rule]:
    wanted = _written(checked(change.rule or {}), change.by)
    if not change.name:
        return _placed(kept, _numbered(wanted, 1), change.before)
    meant = _meant(kept, change)
    if not change.before and _says(wanted) == _says(meant):
        raise CannotDo(f"This is what “{meant.name}” says already.")
    wanted = _written(_numbered(wanted, meant.terms.version + 1), change.by or meant.terms.by)
    if change.before:
        return _placed([rule for rule in kept if rule is not meant], wanted, change.before)
    return [wanted if rule is meant else rule for rule in kept]


def _says(rule: Rule) -> dict[str, Json]:
    return _written(_numbered(rule, 0), ()).to_json()


def _meant(kept: Iterable[Rule], change: Amendment) -> Rule:
    """Return the rule that a change is about, if it is still the one that its author saw."""
    found = _named(kept, change.name)
    if found.terms.version != change.version:
        raise Outdated(
            f"“{found.name}” was changed meanwhile: it is version {found.terms.version} now, "
            f"this change was made for version {change.version}."
        )
    return found


def _named(kept: Iterable[Rule], name: str) -> Rule:
    found = next((rule for rule in kept if rule.name == name), None)
    if found is None:
        raise CannotDo(f"There is no policy “{name}”.")
    return found


def _placed(kept: list[Rule], rule: Rule, before: str) -> list[Rule]:
    if not before:
        return [*kept, rule]
    at = kept.index(_named(kept, before))
    return [*kept[:at], rule, *kept[at:]]


def _numbered(rule: Rule, version: int) -> Rule:
    return replace(rule, terms=replace(rule.terms, version=version))


def _written(rule: Rule, by: tuple[str, ...]) -> Rule:
    return replace(rule, terms=replace(rule.terms, by=by))


def _sound(found: list[Rule]) -> list[Rule]:
    names = [rule.name for rule in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise CannotDo(f"There are two policies “{twice}”; a name is used once.")
    if len(found) > RULES_AT_MOST:
        raise CannotDo(f"A workspace has at most {RULES_AT_MOST} policies.")
    return found


def _preview(before: Document, params: Params) -> Json:
    try:
        return document(amended(rules_of(before, 0), Amendment.from_params(params)))
    except BadRule as error:
        raise CannotDo(str(error)) from error


def _checks(before: Document, params: Params) -> list[Check]:
    old = {rule.name: rule for rule in rules_of(before, 0)}
    new = amended(rules_of(before, 0), Amendment.from_params(params))
    return [_readable(new), _still_asked(old.values(), new), _no_level_lowered(old, new, params)]


def _readable(rules: Iterable[Rule]) -> Check:
    faults = [f"“{rule.name}”: {fault}" for rule in rules for fault in _faults(rule)]
    sentence = faults[0] if faults else "All expressions were compiled and give yes or no."
    return Check("Every expression can be read", not faults, sentence)


def _faults(rule: Rule) -> list[str]:
    try:
        checked(rule.to_json())
    except BadRule as error:
        return [str(fault) for fault in error.faults]
    return []


def _still_asked(old: Iterable[Rule], new: Iterable[Rule]) -> Check:
    was = {rule.name for rule in old if _is_automatic(rule)}
    names = [rule.name for rule in new if _is_automatic(rule) and rule.name not in was]
    sentence = "No further action is approved without a person."
    if names:
        sentence = f"“{names[0]}” approves by itself; people look at a sample afterwards."
    return Check("Nothing becomes automatic", not names, sentence)


def _is_automatic(rule: Rule) -> bool:
    return rule.mode == "enforced" and rule.terms.level == AUTO


def _no_level_lowered(old: Mapping[str, Rule], new: Iterable[Rule], params: Params) -> Check:
    renamed = params.get("name", "")
    said = ""
    left = dict(old)
    for rule in new:
        before = left.pop(rule.name, None) or left.get(renamed)
        said = said or (_less(before, rule) if before else "")
    gone = [rule.name for rule in left.values() if rule.mode == "enforced"]
    if not said and gone and params["op"] == "remove":
        said = f"“{gone[0]}” is no more; other policies or a review by two take its actions."
    return Check(
        "Nobody is asked for less", not said, said or "No policy asks for less than before."
    )


def _less(before: Rule, after: Rule) -> str:
    """Say in what a rule asks for less than it did, or nothing."""
    name, was, now = after.name, before.terms, after.terms
    if before.mode == "enforced" and after.mode != "enforced":
        return f"“{name}” is no longer in force."
    if after.mode != "enforced":
        return ""
    if now.level < was.level:
        return f"“{name}” goes from level {was.level} to level {now.level}."
    if now.needed < was.needed and now.level != AUTO:
        return f"“{name}” needs {now.needed} instead of {was.needed} to agree."
    return _lost(name, was, now)


def _lost(name: str, was: Terms, now: Terms) -> str:
    if now.hold_seconds < was.hold_seconds:
        return f"“{name}” leaves less time to recall: {now.hold_seconds} s."
    if len(now.limits) < len(was.limits):
        return f"“{name}” has fewer limits than before."
    return ""


def _facts(before: Document, params: Params) -> dict[str, str]:
    return {"sentence": _sentence(rules_of(before, 0), Amendment.from_params(params))}


def _sentence(rules: Iterable[Rule], change: Amendment) -> str:
    kept = {rule.name: rule for rule in rules}
    match change.op:
        case "remove":
            return f"Remove the policy “{change.name}”"
        case "move":
            where = f"before “{change.before}”" if change.before else "to the end"
            return f"Move the policy “{change.name}” {where}"
        case "adopt":
            return f"Take over {len(change.rules)} policies of a starter pack"
    wanted = checked(change.rule or {})
    known = kept.get(change.name)
    if known is None:
        return f"Add the policy “{wanted.name}” (level {wanted.terms.level}, {wanted.mode})"
    if known.mode != wanted.mode:
        words = {"enforced": "in force", "shadow": "into the shadow", "draft": "back to a draft"}
        return f"Put the policy “{wanted.name}” {words[wanted.mode]}"
    return f"Change the policy “{wanted.name}” to version {known.terms.version + 1}"
