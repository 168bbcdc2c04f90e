"""How is a message told to pydantic_ai, and what do we read from its answer?

Only what asks a model imports this: the library takes a second and 76 MB, which no page needs.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from agents import pricing
from agents.modelling import Cut, money_of
from agents.pricing import Price
from agents.workflows import Message, Reply, ToolCall, ToolSpec, Turn
from console.canonical import Json, Unreadable, check, parse

# As long as the name of a step may be.
NAME_AT_MOST = 120
ID_AT_MOST = 200
# What is taken for a token where a server does not count: four bytes, as OpenAI's rule of thumb.
BYTES_A_TOKEN = 4
_CUT = {
    "length": "stopped in the middle of its answer, at its length limit",
    "content_filter": "did not answer: its provider's content filter said no",
    "error": "broke off its answer with an error",
}


def request_of(message: Message) -> tuple[list[ModelMessage], ModelRequestParameters]:
    """Return a message as pydantic_ai takes it.

    Output of tools goes as returns of tools alone; instructions are kept apart from all of it.
    """
    told: list[ModelMessage] = []
    for turn in message.turns:
        if turn.role == "assistant":
            told.append(ModelResponse(parts=[*_said(turn)]))
        else:
            _last_request(told).append(_asked(turn))
    if message.content or not told:
        _last_request(told).append(UserPromptPart(message.content))
    newest = told[-1]
    if isinstance(newest, ModelRequest):
        newest.instructions = message.instructions or None
    tools = [_definition(tool) for tool in message.tools]
    return told, ModelRequestParameters(function_tools=tools)


def reply_of(
    response: ModelResponse, message: Message, prices: Mapping[str, Price], *, is_local: bool
) -> Reply:
    """Return what was answered, with what it used. Raises: Cut, where that is no whole answer."""
    usage = response.usage
    known = (usage.input_tokens, usage.output_tokens)
    reply = Reply(
        text=clean("".join(p.content for p in response.parts if isinstance(p, TextPart))),
        tokens=sum(known) or _estimated(message, response),
        input_tokens=known[0],
        output_tokens=known[1],
        cost=_cost(response, prices, is_local=is_local),
        model=clean(response.model_name or "")[:NAME_AT_MOST],
    )
    sentence = _CUT.get(response.finish_reason or "")
    if not sentence and response.state != "complete":
        sentence = "broke off in the middle of its answer"
    calls: tuple[ToolCall, ...] = ()
    if not sentence:
        try:
            calls = _calls(response)
        except Unreadable as unreadable:
            sentence = f"asked for a tool in a way that cannot be read: {unreadable.sentence}"
    if not sentence and not reply.text and not calls:
        sentence = "answered with nothing"
    if sentence:
        raise Cut(sentence, reply.tokens, money_of(reply))
    return _with(reply, calls)


def clean(text: str) -> str:
    """Return a text that can be kept: what is no character is shown as such."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _with(reply: Reply, calls: tuple[ToolCall, ...]) -> Reply:
    return Reply(**{**{name: getattr(reply, name) for name in reply.__slots__}, "calls": calls})


def _last_request(told: list[ModelMessage]) -> list[ModelRequestPart]:
    if not told or not isinstance(told[-1], ModelRequest):
        told.append(ModelRequest(parts=[]))
    parts = told[-1].parts
    assert isinstance(parts, list)  # noqa: S101  (narrows what was made here)
    return parts


def _asked(turn: Turn) -> ModelRequestPart:
    if turn.role == "tool":
        return ToolReturnPart(turn.tool, turn.content, turn.call_id)
    return UserPromptPart(turn.content)


def _said(turn: Turn) -> Iterator[ModelResponsePart]:
    if turn.content:
        yield TextPart(turn.content)
    for call in turn.calls:
        yield ToolCallPart(call.tool, dict(call.args), call.id)


def _definition(tool: ToolSpec) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name, description=tool.description, parameters_json_schema=dict(tool.schema)
    )


def _calls(response: ModelResponse) -> tuple[ToolCall, ...]:
    """Return the calls in order, each under an id of its own. Raises: Unreadable."""
    calls: list[ToolCall] = []
    taken: set[str] = set()
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            call_id = clean(part.tool_call_id)[:ID_AT_MOST] or "call"
            while call_id in taken:
                call_id = f"{call_id}+"
            taken.add(call_id)
            calls.append(ToolCall(call_id, _tool_name(part.tool_name), _args(part.args)))
    return tuple(calls)


def _tool_name(name: str) -> str:
    if not name or len(name) > NAME_AT_MOST or clean(name) != name:
        raise Unreadable("tool_name", "the tool's name is empty, too long, or no text.")
    return name


def _args(written: object) -> dict[str, Json]:
    value: Json
    if isinstance(written, str) and written.strip():
        value = parse(written.encode("utf-8", "replace"))
    else:
        value = dict(written) if isinstance(written, dict) else {}
        check(value)
    if not isinstance(value, dict):
        raise Unreadable("not_an_object", "the arguments are not a JSON object.")
    return value


def _cost(response: ModelResponse, prices: Mapping[str, Price], *, is_local: bool) -> str:
    usage, model = response.usage, response.model_name or ""
    if not (usage.input_tokens or usage.output_tokens):
        return ""
    own = pricing.cost(prices, model, (usage.input_tokens, usage.output_tokens))
    if own is None and not is_local:
        own = _published(response)
    return "" if own is None else f"{own:f}"


def _published(response: ModelResponse) -> Decimal | None:
    try:
        return response.cost().total_price
    except (AssertionError, LookupError, ValueError):
        return None


def _estimated(message: Message, response: ModelResponse) -> int:
    """Return about how many tokens were used; a budget must hold where nobody counts them."""
    texts = [message.instructions, message.content, *(turn.content for turn in message.turns)]
    for part in response.parts:
        if isinstance(part, TextPart):
            texts.append(part.content)
        elif isinstance(part, ToolCallPart):
            texts.append(part.args_as_json_str())
    return -(-sum(len(text.encode("utf-8", "replace")) for text in texts) // BYTES_A_TOKEN)
