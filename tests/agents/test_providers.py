"""Providers: what a name stands for, what the journal keeps of a call, and what it costs."""

from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from agents import direct, modelling, pricing, providers
from agents.direct import Direct
from agents.journal import digest_of
from agents.modelling import message_to_json, reply_from_json, reply_to_json
from agents.providers import Chosen, Recorded, Scripted, named, register
from agents.workflows import Message, ModelFailed, Reply, ToolCall, ToolSpec, Turn
from console.canonical import digest
from console.supervision import parts

ASKED = Message("Be brief.", "What?")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test registers."""
    monkeypatch.setattr(providers, "_factories", dict(providers._factories))


def test_a_registered_name_stands_for_what_was_registered() -> None:
    register("scripted:echo", lambda _: Scripted(lambda message: Reply(message.content)))
    assert named("scripted:echo").complete(ASKED).text == "What?"


def test_a_beginning_stands_for_all_its_names() -> None:
    register("ours", lambda name: Recorded([Reply(name)], name))
    assert named("ours:large").name == "ours:large"
    assert named("ours:large").complete(ASKED).text == "ours:large"


@pytest.mark.parametrize("name", ["local:qwen3", "openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
def test_any_other_name_is_a_model_of_a_provider(name: str) -> None:
    assert named(name) == Direct(name)


def test_no_name_is_what_the_operator_chose(settings: Settings) -> None:
    settings.MODEL = "local:qwen3"
    assert named() == Chosen(Direct("local:qwen3"))
    # A run that waits for days goes on after they chose another model: its steps keep their name.
    assert named().name == "default"
    register("scripted", lambda _: Scripted(lambda _: Reply("Hello.")))
    settings.MODEL = "scripted:hello"
    assert named().complete(ASKED).text == "Hello."


def test_only_what_can_speak_while_it_thinks_streams(settings: Settings) -> None:
    register("scripted", lambda _: Scripted(lambda _: Reply("Hello.")))
    for model, streams in (("local:qwen3", True), ("scripted:hello", False)):
        settings.MODEL = model
        assert (getattr(named(), "stream", None) is not None) is streams


def test_says_what_to_do_where_nothing_is_configured(settings: Settings) -> None:
    settings.MODEL = ""
    with pytest.raises(ModelFailed, match="set COUNTERSIGN_MODEL"):
        named().complete(ASKED)


def test_a_recording_plays_in_order_and_ends() -> None:
    recorded = Recorded([Reply("one"), Reply("two")])
    assert [recorded.complete(ASKED).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(IndexError):
        recorded.complete(ASKED)


def test_a_price_list_that_cannot_be_read_stops_the_start(settings: Settings) -> None:
    settings.MODEL_PRICES = "qwen3=cheap"
    with pytest.raises(pricing.UnreadablePrices, match="'qwen3=cheap' is not name=input/output"):
        direct.register()


@pytest.mark.parametrize("text", ["=1/2", "qwen3=1", "qwen3=-1/2", "qwen3=1/NaN", "qwen3"])
def test_a_price_is_two_amounts_after_a_name(text: str) -> None:
    with pytest.raises(pricing.UnreadablePrices):
        pricing.read_prices(text)


def test_prices_a_call_by_its_exact_model() -> None:
    prices = pricing.read_prices("org/qwen=3:8b=0.3/7, other=1/1,")
    assert pricing.cost(prices, "org/qwen=3:8b", (1000, 10)) == Decimal("0.00037")
    assert pricing.cost(prices, "qwen", (1000, 10)) is None


def test_an_old_message_is_kept_as_it_always_was() -> None:
    # SHA-256 of `{"content":"What?","instructions":"Be brief."}`; journals hold such digests.
    old = "0e1886735cd7f4827a6c1069d3efa1bf0db11fdef0aea70f3f9d86cbf1270a0a"
    assert digest_of(message_to_json(ASKED)) == digest(message_to_json(ASKED)) == old


def test_an_old_reply_is_kept_and_read_as_it_always_was() -> None:
    reply = Reply("Two.", {"rows": 2}, 5)
    assert reply_to_json(reply) == {"text": "Two.", "data": {"rows": 2}, "tokens": 5}
    assert reply_from_json({"text": "Two.", "data": {"rows": 2}, "tokens": 5}) == reply


def test_keeps_what_is_known_of_a_reply() -> None:
    reply = Reply(
        "",
        tokens=18,
        calls=(ToolCall("a", "look", {"page": 1}),),
        input_tokens=11,
        output_tokens=7,
        cost="0.0000265",
        model="small-one",
        retries=1,
    )
    assert reply_from_json(reply_to_json(reply)) == reply
    assert modelling.money_of(reply) == Decimal("0.000026")


def test_keeps_turns_and_tools_where_there_are_some() -> None:
    call = ToolCall("a", "look", {"page": 1})
    turns = (
        Turn("assistant", "I look.", (call,), step=3),
        Turn("tool", "[]", call_id="a", tool="look", filled_by="result", step=4),
    )
    message = Message("", "Go on.", turns, (ToolSpec("look", "Look.", {"type": "object"}),))
    assert message_to_json(message) == {
        "instructions": "",
        "content": "Go on.",
        "turns": [
            {
                "role": "assistant",
                "content": "I look.",
                "filled_by": "words",
                "step": 3,
                "calls": [{"id": "a", "tool": "look", "args": {"page": 1}}],
            },
            {
                "role": "tool",
                "content": "[]",
                "filled_by": "result",
                "step": 4,
                "call_id": "a",
                "tool": "look",
            },
        ],
        "tools": [{"name": "look", "description": "Look.", "schema": {"type": "object"}}],
    }


@pytest.mark.parametrize("name", ["COUNTERSIGN_MODEL_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_only_workers_are_given_the_keys_of_models(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "sk-secret")
    assert parts.environment("worker", "http://here")[name] == "sk-secret"
    for role in ("web", "sender", "restorer", "courier", "timer"):
        assert name not in parts.environment(role, "http://here")
