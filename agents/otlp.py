"""How is a run told as OpenTelemetry spans, and which run do somebody else's spans tell of?

OTLP/JSON with the semantic conventions for generative AI. What they have no word for (proposals,
decisions, guards, memory) stands in attributes named `countersign.…`, so that a run of ours comes
back as it was. Spans about nothing of an agent (a web request, a query) are left out.

Source: OpenTelemetry, semantic conventions for GenAI 1.41 (`gen_ai.operation.name`,
`gen_ai.provider.name`, `gen_ai.tool.call.arguments`, `gen_ai.input.messages`), and before 1.37
(`gen_ai.system`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.journal import Entry, digest_of
from agents.lifecycle import STEP_KINDS
from console.canonical import FILE_LIMITS, Json, Unreadable, parse, sha256
from snapshots.content import content_bytes

STEPS_AT_MOST: Final = 2_000
TRACES_AT_MOST: Final = 20
_DEEPEST = 64
_NAME, _AGENT, _ERROR, _LABEL = 120, 80, 2000, 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Up to the year 2262, beyond which nanoseconds no longer fit 64 bits.
_LATEST_NANOS = 2**63 - 1
_MODEL = {"chat", "generate_content", "text_completion"}
_TOOL = {"execute_tool", "retrieval", "embeddings"}
_AGENT_OF = {"invoke_agent", "create_agent"}
_FAILED, _FINE, _INTERNAL, _CLIENT = 2, 1, 1, 3


class NotTraces(ValueError):
    """This is no OTLP/JSON that tells of agents; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Story:
    """A run as it goes out or comes in: its name, what was asked, its steps, how it ended."""

    trace_id: str
    label: str
    entries: Sequence[Entry]
    started_at: datetime
    ended_at: datetime
    workflow: str = ""
    asked: Json = None
    result: Json = None
    problem: str = ""
    about: Mapping[str, Json] = field(default_factory=dict)
    left_out: int = 0


def told(story: Story) -> dict[str, Json]:
    """Return a run as one trace; steps after a handoff stand below it. Shape: OTLP/JSON."""
    root = _span_id(story.trace_id, "run")
    name = story.workflow or story.label
    attributes: dict[str, Json] = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": name,
        "countersign.label": story.label,
        "countersign.input": _text(story.asked),
        "countersign.result": _text(story.result),
        "countersign.problem": story.problem,
    }
    first = _span(
        (story.trace_id, root, ""),
        f"invoke_workflow {name}".strip(),
        (story.started_at, story.ended_at),
        attributes,
        story.problem,
    )
    below = [
        _step_span(story.trace_id, parent or root, entry)
        for entry, parent in _placed(story.trace_id, story.entries)
    ]
    resource = {"service.name": "countersign", **story.about}
    scope: Json = {"name": "countersign", "version": "1"}
    spans: list[Json] = [first, *below]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": spans}],
            }
        ]
    }


def _placed(trace_id: str, entries: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
    """Yield each step with the span of the handoff that it stands below."""
    handed: dict[str, str] = {}
    for entry in entries:
        yield entry, handed.get(entry.agent, "")
        if entry.kind == "handoff":
            handed[entry.name] = _span_id(trace_id, str(entry.index))


def _step_span(trace_id: str, parent: str, entry: Entry) -> Json:
    started = entry.started_at or _EPOCH
    attributes: dict[str, Json] = {
        **_conventional(entry),
        "gen_ai.agent.name": entry.name if entry.kind == "handoff" else entry.agent,
        "countersign.step.index": entry.index,
        "countersign.step.kind": entry.kind,
        "countersign.step.name": entry.name,
        "countersign.step.agent": entry.agent,
        "countersign.step.input": _text(entry.input),
        "countersign.step.output": _text(entry.output),
        "countersign.proposal.id": str(entry.proposal_id or ""),
    }
    operation = attributes.get("gen_ai.operation.name", entry.kind)
    return _span(
        (trace_id, _span_id(trace_id, str(entry.index)), parent),
        f"{operation} {entry.name}",
        (started, entry.ended_at or started),
        attributes,
        entry.error,
    )


def _conventional(entry: Entry) -> dict[str, Json]:
    match entry.kind:
        case "model_call":
            return _as_chat(entry)
        case "tool_call":
            return {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": entry.name,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": str(entry.index),
                "gen_ai.tool.call.arguments": _text(entry.input),
                "gen_ai.tool.call.result": _text(entry.output),
            }
        case "handoff":
            return {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "countersign"}
    return {}


def _as_chat(entry: Entry) -> dict[str, Json]:
    asked = entry.input if isinstance(entry.input, dict) else {}
    said = entry.output if isinstance(entry.output, dict) else {}
    total, sent = _whole(said.get("tokens")), _whole(said.get("input_tokens"))
    back = _whole(said.get("output_tokens"))
    prompt: Json = [{"role": "user", "parts": [_part(asked.get("content"))]}]
    answer: Json = [
        {"role": "assistant", "parts": [_part(said.get("text"))], "finish_reason": "stop"}
    ]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "countersign",
        "gen_ai.request.model": entry.name,
        "gen_ai.response.model": str(said.get("model") or ""),
        # Where only the sum is known, it is said as what came in.
        "gen_ai.usage.input_tokens": sent or max(0, total - back),
        "gen_ai.usage.output_tokens": back,
        "gen_ai.system_instructions": _text([_part(asked.get("instructions"))]),
        "gen_ai.input.messages": _text(prompt),
        "gen_ai.output.messages": _text(answer),
    }


def _part(content: Json) -> Json:
    return {"type": "text", "content": content if isinstance(content, str) else _text(content)}


def _span(
    ids: tuple[str, str, str],
    name: str,
    times: tuple[datetime, datetime],
    attributes: Mapping[str, Json],
    error: str,
) -> dict[str, Json]:
    trace_id, span_id, parent = ids
    more = {"error.type": "_OTHER"} if error else {}
    status: Json = {"code": _FAILED, "message": error} if error else {"code": _FINE}
    is_call = attributes.get("gen_ai.operation.name") == "chat"
    return {
        "traceId": trace_id,
        "spanId": span_id,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": _CLIENT if is_call else _INTERNAL,
        "startTimeUnixNano": str(_nanos(times[0])),
        "endTimeUnixNano": str(_nanos(times[1])),
        "attributes": _attributes({**attributes, **more}),
        "status": status,
    }


def _attributes(values: Mapping[str, Json]) -> list[Json]:
    return [
        {"key": name, "value": _value(value)}
        for name, value in values.items()
        if value not in ("", None)
    ]


def _value(value: Json) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value if isinstance(value, str) else _text(value)}


def _text(value: Json) -> str:
    return "" if value is None else content_bytes(value).decode()


def _span_id(trace_id: str, place: str) -> str:
    return sha256(f"{trace_id}:{place}".encode())[:16]


def _nanos(at: datetime) -> int:
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1_000


@dataclass(frozen=True, slots=True)
class _Span:
    trace_id: str
    span_id: str
    parent: str
    name: str
    started_at: datetime
    ended_at: datetime
    error: str
    values: Mapping[str, Json]
    place: int

    @property
    def operation(self) -> str:
        return str(self.values.get("gen_ai.operation.name") or "")

    @property
    def is_ours(self) -> bool:
        return bool(self.values.get("countersign.step.kind"))

    def word(self, *names: str) -> str:
        """Return the first of these attributes that says something."""
        return next((str(found) for name in names if (found := self.values.get(name))), "")


def stories(document: Json) -> list[Story]:
    """Return one story per trace in which an agent acted, in the order of their traces' ids.

    Of spans with the same id the first counts. Raises: NotTraces.
    """
    traces: dict[str, dict[str, _Span]] = {}
    about: dict[str, dict[str, Json]] = {}
    for span, resource in _spans(document):
        traces.setdefault(span.trace_id, {}).setdefault(span.span_id, span)
        about.setdefault(span.trace_id, resource)
        if len(traces) > TRACES_AT_MOST:
            raise NotTraces(f"At most {TRACES_AT_MOST} traces are taken in at once.")
    found = [_story(trace_id, spans, about[trace_id]) for trace_id, spans in traces.items()]
    told_of = sorted((story for story in found if story.entries), key=lambda each: each.trace_id)
    if not told_of:
        raise NotTraces("No span in it tells of an agent, a model call or a tool call.")
    return told_of


def _story(trace_id: str, spans: Mapping[str, _Span], about: Mapping[str, Json]) -> Story:
    ordered = sorted(spans.values(), key=lambda span: (_ordinal(span), span.started_at, span.place))
    drawn = [
        (span, drawn) for span in ordered if (drawn := _drawn(span, spans, trace_id)) is not None
    ]
    if len(drawn) > STEPS_AT_MOST:
        raise NotTraces(f"A trace has at most {STEPS_AT_MOST} steps; {trace_id} has {len(drawn)}.")
    entries = [_entry(index, span, step) for index, (span, step) in enumerate(drawn)]
    root = next((span for span in ordered if span.parent not in spans), ordered[0])
    label = root.word("countersign.label", "gen_ai.workflow.name", "gen_ai.agent.name") or root.name
    return Story(
        trace_id=trace_id,
        label=label[:_LABEL],
        entries=entries,
        started_at=min(span.started_at for span in ordered),
        ended_at=max(span.ended_at for span in ordered),
        workflow=root.word("gen_ai.workflow.name")[:_AGENT],
        asked=_exactly(root.values.get("countersign.input")),
        result=_exactly(root.values.get("countersign.result")),
        problem=root.error[:1000],
        about=about,
        left_out=sum(not _is_about_agents(span) for span in ordered),
    )


def _ordinal(span: _Span) -> int:
    """Return where a step of ours stood; its clock alone does not tell two of one moment apart."""
    return _whole(span.values.get("countersign.step.index"))


def _is_about_agents(span: _Span) -> bool:
    return span.is_ours or span.operation in _MODEL | _TOOL | _AGENT_OF | {"invoke_workflow"}


# Kind, name, agent, input, output.
_Step = tuple[str, str, str, Json, Json]


def _drawn(span: _Span, spans: Mapping[str, _Span], trace_id: str) -> _Step | None:
    if span.is_ours:
        return _our_step(span)
    if span.operation in _MODEL:
        return _model_step(span, _agent_of(span, spans))
    if span.operation in _TOOL:
        return _tool_step(span, _agent_of(span, spans))
    if span.operation in _AGENT_OF:
        above = _agent_of(spans.get(span.parent), spans)
        name = span.word("gen_ai.agent.name") or span.name
        # The first agent was not called by another one.
        is_handed = bool(above) and above != name
        content = _opened(span.values.get("gen_ai.input.messages"))
        asked: Json = {"content": _said(content)}
        return ("handoff", name, above, asked, None) if is_handed else None
    return None


def _our_step(span: _Span) -> _Step:
    word = span.word
    kind = word("countersign.step.kind")
    if kind not in STEP_KINDS:
        raise NotTraces(f"There are no steps of the kind {kind[:40]!r}.")
    return (
        kind,
        word("countersign.step.name"),
        word("countersign.step.agent"),
        _exactly(span.values.get("countersign.step.input")),
        _exactly(span.values.get("countersign.step.output")),
    )


def _model_step(span: _Span, agent: str) -> _Step:
    name = span.word("gen_ai.response.model", "gen_ai.request.model") or span.word(
        "gen_ai.provider.name", "gen_ai.system"
    )
    sent = _whole(span.values.get("gen_ai.usage.input_tokens"))
    back = _whole(span.values.get("gen_ai.usage.output_tokens"))
    output = _opened(span.values.get("gen_ai.output.messages"))
    asked: Json = {
        "instructions": _said(_opened(span.values.get("gen_ai.system_instructions"))),
        "content": _said(_opened(span.values.get("gen_ai.input.messages"))),
    }
    answered: Json = {
        "text": _said(output),
        "data": None,
        "tokens": sent + back,
        "input_tokens": sent,
        "output_tokens": back,
    }
    return "model_call", name or span.name, agent, asked, answered


def _tool_step(span: _Span, agent: str) -> _Step:
    name = span.word("gen_ai.tool.name") or span.name
    asked = _opened(span.values.get("gen_ai.tool.call.arguments"))
    answered = _opened(span.values.get("gen_ai.tool.call.result"))
    return "tool_call", name, agent, asked, answered


def _entry(index: int, span: _Span, step: _Step) -> Entry:
    kind, name, agent, asked, answered = step
    known: Json = {} if asked is None else asked
    return Entry(
        index=index,
        kind=kind,
        name=name[:_NAME] or "unnamed",
        agent=agent[:_AGENT],
        input=known,
        input_digest=digest_of(known),
        output=answered,
        error=span.error[:_ERROR],
        proposal_id=None,
        started_at=span.started_at,
        ended_at=span.ended_at,
    )


def _agent_of(span: _Span | None, spans: Mapping[str, _Span]) -> str:
    """Return who acted: the span's agent, or that of the nearest span above; loops end."""
    for _ in range(_DEEPEST):
        if span is None:
            return ""
        if name := span.word("gen_ai.agent.name"):
            return name
        span = spans.get(span.parent)
    return ""


def _said(content: Json) -> Json:
    """Return the text of messages or parts where they are nothing but text, else them whole."""
    if not isinstance(content, list):
        return "" if content is None else content
    texts = [_plain(item) for item in content]
    return "\n\n".join(texts) if all(text is not None for text in texts) else content  # type: ignore[arg-type]


def _plain(item: Json) -> str | None:
    if not isinstance(item, dict):
        return item if isinstance(item, str) else None
    parts = item.get("parts")
    if isinstance(parts, list):
        found = [_plain(part) for part in parts]
        only_text = all(text is not None for text in found)
        return "\n".join(filter(None, found)) if only_text else None
    content = item.get("content")
    return content if item.get("type", "text") == "text" and isinstance(content, str) else None


def _spans(document: Json) -> Iterator[tuple[_Span, dict[str, Json]]]:
    place = 0
    for group in _list(document, "resourceSpans"):
        resource = _object(group, "resource") if isinstance(group, dict) else {}
        about = _values(resource.get("attributes", []))
        for scope in _list(group, "scopeSpans"):
            for span in _list(scope, "spans"):
                yield _read(span, place), about
                place += 1


def _read(span: Json, place: int) -> _Span:
    if not isinstance(span, dict):
        raise NotTraces("A span is no object.")
    status = _object(span, "status")
    values = _values(span.get("attributes", []))
    started = _at(span, "startTimeUnixNano")
    failed = status.get("code") in (_FAILED, "STATUS_CODE_ERROR")
    said = str(status.get("message") or values.get("error.type") or "It failed.")
    return _Span(
        trace_id=_id(span, "traceId", 32),
        span_id=_id(span, "spanId", 16),
        parent=str(span.get("parentSpanId") or "").lower(),
        name=str(span.get("name") or ""),
        started_at=started,
        ended_at=max(started, _at(span, "endTimeUnixNano")),
        error=said if failed else "",
        values=values,
        place=place,
    )


def _id(span: Mapping[str, Json], name: str, length: int) -> str:
    found = span.get(name)
    if not isinstance(found, str) or len(found) != length or not _is_hex(found):
        raise NotTraces(f"A span's {name} is {length} hexadecimal digits.")
    return found.lower()


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in text)


def _at(span: Mapping[str, Json], name: str) -> datetime:
    nanos = _whole(span.get(name), default=-1)
    if not 0 < nanos <= _LATEST_NANOS:
        raise NotTraces(f"A span's {name} is a time in nanoseconds since 1970.")
    return _EPOCH + timedelta(microseconds=nanos // 1_000)


def _whole(value: Json, default: int = 0) -> int:
    """Return a whole number that OTLP writes as a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else default
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 19:  # noqa: PLR2004
        return int(value)
    return default


def _list(value: Json, name: str) -> Iterable[Json]:
    found = value.get(name, []) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise NotTraces(f"`{name}` is no list.")
    return found


def _object(value: Mapping[str, Json], name: str) -> dict[str, Json]:
    found = value.get(name) or {}
    if not isinstance(found, dict):
        raise NotTraces(f"`{name}` is no object.")
    return found


def _values(attributes: Json) -> dict[str, Json]:
    if not isinstance(attributes, list):
        raise NotTraces("`attributes` is no list.")
    return {
        str(each["key"]): _plain_value(each.get("value"))
        for each in attributes
        if isinstance(each, dict) and "key" in each
    }


def _plain_value(value: Json) -> Json:
    """Return an OTLP value as plain JSON."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    [(kind, inner)] = value.items()
    if kind == "intValue":
        return _whole(inner)
    if kind == "arrayValue":
        return [_plain_value(each) for each in _members(inner)]
    if kind == "kvlistValue":
        return _values(_members(inner))
    return inner if kind in {"stringValue", "boolValue", "doubleValue", "bytesValue"} else None


def _members(value: Any) -> list[Json]:
    found = value.get("values", []) if isinstance(value, dict) else []
    return found if isinstance(found, list) else []


def _opened(value: Json) -> Json:
    """Read an object or a list that was sent as the text of its JSON; any other text is itself."""
    is_written = isinstance(value, str) and value.lstrip()[:1] in {"{", "["}
    return _exactly(value) if is_written else value


def _exactly(value: Json) -> Json:
    """Read what we have written as the text of its JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value.encode(), FILE_LIMITS) if value else None
    except (Unreadable, UnicodeEncodeError):
        return value
