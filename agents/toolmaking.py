"""How does a typed Python function become a tool, with a schema of its arguments?

The first parameter is the record as the run sees it; the others are what a model has to say:

    @tool
    def look_up_invoice(record: Any, invoice: str) -> dict[str, Any]:
        \"\"\"Return one invoice by its number.\"\"\"
        return record["invoices"][invoice]

What is not in the record is a `LookupError`, as above, and what an agent is told of it is a failed
call, not the end of the run. Anything that is no plain JSON (a `Decimal`, a date) is written so.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import to_jsonable_python

from agents.declarations import Tool
from agents.workflows import ToolFailed
from console.canonical import Json

_BY_NAME: Final = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class Untyped(TypeError):
    """A function cannot become a tool; the message names it and says what is missing."""


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *, rereads: bool = False, max_calls: int | None = None
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    rereads: bool = False,
    max_calls: int | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function whose parameters and result are typed and that says what it does.

    Raises: Untyped.
    """

    def make(function: Callable[..., Any]) -> Tool:
        arguments = _arguments(function)
        return Tool(
            name=function.__name__,
            description=_description(function),
            schema=_schema(arguments),
            function=_called(function, arguments),
            rereads=rereads,
            max_calls=max_calls,
        )

    return make if function is None else make(function)


def _arguments(function: Callable[..., Any]) -> type[BaseModel]:
    """Return a model of what a function takes besides the record. Raises: Untyped."""
    name, hints = function.__name__, _hints(function)
    parameters = [*inspect.signature(function).parameters.values()]
    if not parameters:
        raise Untyped(f"{name} takes no record: its first parameter is what it reads from.")
    if "return" not in hints:
        raise Untyped(f"{name} does not say what it returns; write -> and the type.")
    fields: dict[str, Any] = {}
    for parameter in parameters[1:]:
        if parameter.kind not in _BY_NAME:
            raise Untyped(f"{name} takes {parameter}, which a model cannot name.")
        if parameter.name not in hints:
            raise Untyped(f"{name} does not say of what type {parameter.name!r} is.")
        is_needed = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hints[parameter.name], ... if is_needed else parameter.default)
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError) as error:
        raise Untyped(f"{name} has an argument that no JSON describes: {error}") from error


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise Untyped(f"{function.__name__} names a type that is not known: {error}") from error


def _description(function: Callable[..., Any]) -> str:
    said = inspect.getdoc(function) or ""
    if not said.strip():
        raise Untyped(f"{function.__name__} has no docstring; a model reads there what it does.")
    return said.strip()


def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    try:
        schema = arguments.model_json_schema()
    except PydanticUserError as error:
        name = arguments.__name__
        raise Untyped(f"{name} has an argument that no JSON describes: {error}") from error
    # The titles are the names once more, and a prompt pays for each.
    parts = [schema, *schema.get("properties", {}).values()]
    for part in parts:
        part.pop("title", None)
    return schema


def _called(function: Callable[..., Any], arguments: type[BaseModel]) -> Callable[..., Json]:
    def call(record: Any, **args: Any) -> Json:
        given = _read(arguments, args)
        try:
            found: Json = to_jsonable_python(function(record, **given))
        except LookupError as error:
            missing = str(error.args[0]) if error.args else "it"
            raise ToolFailed(f"{function.__name__} found no {missing!r}.") from error
        return found

    call.__doc__ = function.__doc__
    return call


def _read(arguments: type[BaseModel], args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the function wants them. Raises: ToolFailed."""
    try:
        read = arguments.model_validate(args)
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"
            for each in error.errors(include_url=False)
        )
        raise ToolFailed(f"The arguments do not fit: {said}") from error
    return {name: getattr(read, name) for name in type(read).model_fields}
