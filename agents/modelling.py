"""What does the journal keep of a model call?

What an old journal does not hold stays away when it is empty, so that its digests stay the same.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agents.workflows import Message, ModelFailed, Reply, ToolCall, ToolSpec, Turn
from console.canonical import Json

# What is kept of money; the rest of a cent is not.
_PLACES = Decimal("0.000001")


class Cut(ModelFailed):
    """A model has used tokens for an answer that cannot be used."""

    def __init__(self, sentence: str, tokens: int, money: Decimal) -> None:
        """Keep what it used."""
        self.tokens = tokens
        self.money = money
        super().__init__(sentence)


def money_of(reply: Reply) -> Decimal:
    """Return what an answer cost, as it is counted; nothing where nobody knows it."""
    return Decimal(reply.cost or 0).quantize(_PLACES)


def message_to_json(message: Message) -> dict[str, Json]:
    """Return the input of a model step: what was asked, after which turns, with which tools."""
    asked: dict[str, Json] = {"instructions": message.instructions, "content": message.content}
    if message.turns:
        asked["turns"] = [_turn(turn) for turn in message.turns]
    if message.tools:
        asked["tools"] = [_tool(tool) for tool in message.tools]
    return asked


def reply_to_json(reply: Reply) -> dict[str, Json]:
    """Return the output of a model step: the answer, and what is known of how it came about."""
    known: dict[str, Json] = {
        "calls": [_call(call) for call in reply.calls],
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cost": reply.cost,
        "model": reply.model,
        "retries": reply.retries,
    }
    answered: dict[str, Json] = {"text": reply.text, "data": reply.data, "tokens": reply.tokens}
    return answered | _filled(known)


def reply_from_json(kept: Mapping[str, Any]) -> Reply:
    """Return the answer that a step keeps."""
    calls = tuple(
        ToolCall(call["id"], call["tool"], call["args"]) for call in kept.get("calls", ())
    )
    return Reply(**{**kept, "calls": calls})


def _turn(turn: Turn) -> Json:
    optional: dict[str, Json] = {
        "calls": [_call(call) for call in turn.calls],
        "call_id": turn.call_id,
        "tool": turn.tool,
    }
    told: dict[str, Json] = {
        "role": turn.role,
        "content": turn.content,
        "filled_by": turn.filled_by,
    }
    if turn.step is not None:
        told["step"] = turn.step
    return told | _filled(optional)


def _call(call: ToolCall) -> Json:
    return {"id": call.id, "tool": call.tool, "args": dict(call.args)}


def _tool(tool: ToolSpec) -> Json:
    return {"name": tool.name, "description": tool.description, "schema": dict(tool.schema)}


def _filled(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value}
