"""Runs as OpenTelemetry spans: ours go out and come back the same; others' are read as they are."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import otlp
from agents.journal import Entry, digest_of
from agents.lifecycle import STEP_KINDS
from agents.otlp import NotTraces, Story
from console.canonical import Json

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
TRACE, ROOT = "a" * 32, "b" * 16


def entry(index: int, kind: str, name: str, agent: str = "", **more: Any) -> Entry:
    asked = more.pop("input", {})
    at = AT + timedelta(seconds=index)
    return Entry(
        index=index,
        kind=kind,
        name=name,
        agent=agent,
        input=asked,
        input_digest=digest_of(asked),
        output=more.get("output"),
        error=more.get("error", ""),
        proposal_id=None,
        started_at=at,
        ended_at=at + timedelta(milliseconds=250),
    )


TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=8)
NAMES = ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "traceId", "spanId"]
STEPS = [
    entry(0, "tool_call", "read_state", "clerk", input={"state": "book"}, output={"snapshot": 3}),
    entry(1, "model_call", "gpt-6", "clerk", input={"instructions": "I", "content": "C"},
          output={"text": "Hm.", "data": None, "tokens": 12}),
    entry(2, "handoff", "risk", "clerk", input={"content": "Is it known?"}),
    entry(3, "tool_call", "check", "risk", input={"name": "N"}, error="no answer"),
    entry(4, "guard", "failed_again", "risk",
          input={"sentence": "Twice.", "strength": "nudge", "agent": "risk"}),
    entry(5, "proposal", "pay", "clerk", input={"params": {"amount": "3.00"}}, output={"n": 3.0}),
    entry(6, "outcome", "pay", input={"proposal": "x"}, output={"status": "approved"}),
]  # fmt: skip


def story(steps: list[Entry] = STEPS, **more: Any) -> Story:
    return Story(TRACE, "Invoice run", steps, AT, AT + timedelta(minutes=1), "pay_bills", **more)


def span(number: int = 1, parent: str = "", **attributes: Any) -> dict[str, Any]:
    """Return a span of somebody else; `__` in a name is a dot."""
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": parent,
        "name": f"span {number}",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number),
        "endTimeUnixNano": str(1_700_000_000_000_000_000 + number + 5),
        "attributes": [
            {"key": name.replace("__", "."), "value": value if isinstance(value, dict)
             else {"stringValue": value}}
            for name, value in attributes.items()
        ],
    }  # fmt: skip


def document(*spans: Any) -> Json:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [*spans]}]}]}


def attributes_of(found: Any) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in found["attributes"]}


class TestARunGoesOut:
    """What others see of it follows the conventions."""

    def spans(self) -> list[Any]:
        told: Any = otlp.told(story(asked={"n": 1}))
        found: list[Any] = told["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return found

    def test_as_one_trace_under_one_workflow(self) -> None:
        root, *below = self.spans()
        assert {each["traceId"] for each in [root, *below]} == {TRACE}
        assert "parentSpanId" not in root
        assert attributes_of(root)["gen_ai.operation.name"] == "invoke_workflow"
        assert attributes_of(root)["gen_ai.workflow.name"] == "pay_bills"
        assert len(below) == len(STEPS)
        assert len({each["spanId"] for each in [root, *below]}) == len(STEPS) + 1

    def test_with_model_calls_tools_and_agents_under_their_names(self) -> None:
        _, _, chat, agent, tool, *_ = self.spans()
        said = attributes_of(chat)
        assert (said["gen_ai.operation.name"], said["gen_ai.request.model"]) == ("chat", "gpt-6")
        assert said["gen_ai.usage.input_tokens"] == "12"
        parts = json.loads(said["gen_ai.output.messages"])[0]["parts"]
        assert parts == [{"type": "text", "content": "Hm."}]
        assert attributes_of(agent)["gen_ai.operation.name"] == "invoke_agent"
        assert attributes_of(agent)["gen_ai.agent.name"] == "risk"
        called = attributes_of(tool)
        assert called["gen_ai.operation.name"] == "execute_tool"
        assert called["gen_ai.tool.name"] == "check"
        assert json.loads(called["gen_ai.tool.call.arguments"]) == {"name": "N"}

    def test_with_errors_as_errors(self) -> None:
        tool = self.spans()[4]
        assert tool["status"] == {"code": 2, "message": "no answer"}

    def test_with_what_an_agent_did_below_its_handoff(self) -> None:
        root, _, _, handoff, tool, _, proposal, _ = self.spans()
        assert tool["parentSpanId"] == handoff["spanId"]
        assert proposal["parentSpanId"] == root["spanId"]


class TestARunComesBack:
    """What went out comes in as it was."""

    def test_step_by_step(self) -> None:
        [back] = otlp.stories(otlp.told(story(asked={"n": 1}, result=[3.0], problem="It broke.")))
        assert [*back.entries] == STEPS
        assert (back.label, back.workflow, back.problem) == (
            "Invoice run",
            "pay_bills",
            "It broke.",
        )
        assert (back.asked, back.result) == ({"n": 1}, [3.0])
        assert (back.started_at, back.ended_at) == (AT, AT + timedelta(minutes=1))
        assert back.left_out == 0

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(STEP_KINDS),
                TEXT.filter(bool),
                st.recursive(
                    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
                    | TEXT,
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(TEXT, inner, max_size=3),
                    max_leaves=6,
                ),
            ),
            min_size=1,
            max_size=8,
        )
    )  # fmt: skip
    def test_whatever_it_says(self, drawn: list[Any]) -> None:
        steps = [
            entry(place, kind, name, "a", input={"x": value}, output=value)
            for place, (kind, name, value) in enumerate(drawn)
        ]
        [back] = otlp.stories(json.loads(json.dumps(otlp.told(story(steps)))))
        assert [*back.entries] == steps


class TestSomebodyElsesSpans:
    """Runs of agents elsewhere become the same steps."""

    def test_tell_calls_answers_and_who_acted(self) -> None:
        messages = [{"role": "user", "parts": [{"type": "text", "content": "Refund it."}]}]
        found = document(
            span(1, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk"),
            span(2, parent=f"{1:016x}", gen_ai__operation__name="chat",
                 gen_ai__request__model="m-1",
                 gen_ai__input__messages=json.dumps(messages),
                 gen_ai__usage__input_tokens={"intValue": "70"},
                 gen_ai__usage__output_tokens={"intValue": "7"}),
            span(3, parent=f"{2:016x}", gen_ai__operation__name="execute_tool",
                 gen_ai__tool__name="get_order", gen_ai__tool__call__arguments='{"id": 1}',
                 gen_ai__tool__call__result="done 5"),
            span(4, parent=f"{1:016x}", gen_ai__operation__name="invoke_agent",
                 gen_ai__agent__name="refunds"),
            span(5, parent=f"{4:016x}", http__method="GET"),
        )  # fmt: skip
        [back] = otlp.stories(found)
        assert [(each.kind, each.name, each.agent) for each in back.entries] == [
            ("model_call", "m-1", "desk"),
            ("tool_call", "get_order", "desk"),
            ("handoff", "refunds", "desk"),
        ]
        asked, called = back.entries[0], back.entries[1]
        assert asked.input == {"instructions": "", "content": "Refund it."}
        assert isinstance(asked.output, dict)
        assert asked.output["tokens"] == 77
        assert (called.input, called.output) == ({"id": 1}, "done 5")
        assert (back.label, back.left_out) == ("desk", 1)

    def test_keep_messages_that_are_more_than_text_whole(self) -> None:
        messages = [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "1"}]}]
        value = span(
            1, gen_ai__operation__name="chat", gen_ai__input__messages=json.dumps(messages)
        )
        [back] = otlp.stories(document(value))
        assert isinstance(back.entries[0].input, dict)
        assert back.entries[0].input["content"] == messages

    def test_may_point_at_each_other_in_a_circle(self) -> None:
        one = span(1, parent=f"{2:016x}", gen_ai__operation__name="chat")
        other = span(2, parent=f"{1:016x}", gen_ai__operation__name="execute_tool")
        [back] = otlp.stories(document(one, other))
        assert [each.agent for each in back.entries] == ["", ""]

    def test_count_once_under_one_id(self) -> None:
        one = span(1, gen_ai__operation__name="execute_tool", gen_ai__tool__name="first")
        again = span(1, gen_ai__operation__name="execute_tool", gen_ai__tool__name="second")
        [back] = otlp.stories(document(one, again))
        assert [each.name for each in back.entries] == ["first"]

    def test_of_two_traces_are_two_runs(self) -> None:
        one = span(1, gen_ai__operation__name="chat")
        other = {**span(1, gen_ai__operation__name="chat"), "traceId": "c" * 32}
        assert len(otlp.stories(document(other, one))) == 2

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({}, "No span"),
            ([], "no list"),
            ({"resourceSpans": 1}, "no list"),
            ({"resourceSpans": [1]}, "no list"),
            (document("x"), "no object"),
            (document({}), "nanoseconds"),
            (document({**span(1), "traceId": "xyz"}), "hexadecimal"),
            (document({**span(1), "spanId": 7}), "hexadecimal"),
            (document({**span(1), "startTimeUnixNano": "-1"}), "nanoseconds"),
            (document({**span(1), "endTimeUnixNano": str(2**70)}), "nanoseconds"),
            (document({**span(1), "attributes": {}}), "no list"),
            (document(span(1, http__method="GET")), "No span"),
            (document(span(1, countersign__step__kind="wish")), "no steps of the kind"),
        ],
    )
    def test_are_refused_with_what_is_wrong(self, wrong: Any, said: str) -> None:
        with pytest.raises(NotTraces, match=said):
            otlp.stories(wrong)

    def test_are_at_most_so_many_steps_and_traces(self) -> None:
        many = [span(n, gen_ai__operation__name="chat") for n in range(1, 2002)]
        with pytest.raises(NotTraces, match="2000 steps"):
            otlp.stories(document(*many))
        traces = [
            {**span(1, gen_ai__operation__name="chat"), "traceId": f"{n:032x}"}
            for n in range(1, 22)
        ]
        with pytest.raises(NotTraces, match="At most 20"):
            otlp.stories(document(*traces))

    @settings(max_examples=150, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
            | st.sampled_from(["chat", TRACE, ROOT, "1700000000000000000"]),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from([*NAMES, "status", "startTimeUnixNano", "resource"]),
                inner, max_size=6),
            max_leaves=30,
        )
    )  # fmt: skip
    def test_are_read_or_refused_whatever_is_sent(self, sent: Any) -> None:
        try:
            otlp.stories(sent)
        except NotTraces:
            return
