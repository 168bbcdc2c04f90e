"""How do errors of the API look? As problem+json (RFC 9457), each with a stable code."""

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from console.canonical import REQUEST_LIMITS, Json, Unreadable, parse
from console.errors import Refused
from console.limiting.meeting import allowance_of
from console.rates import headers_of
from console.tracing import request_id

MEDIA_TYPE = "application/problem+json"
API = "/api/v1"
# Asked by machines that know us by another name.
PROBES = {"/healthz", "/readyz", "/metrics"}
# What Django and the router answer by themselves, without a word that a program could read.
UNSPOKEN = {
    403: ("csrf", "This address takes no such request from a browser."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know this method."),
}
# The server is gone, or every connection to it is taken.
AWAY = (OperationalError, InterfaceError)
logger = logging.getLogger(__name__)


class StrictParser(Parser):
    """Reads bodies with the strict parser."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body's value. Raises: Unreadable."""
        return parse(request.body)


class DocumentedAPI(NinjaAPI):
    """An API whose document gives problems the media type in which they come."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Return the OpenAPI document."""
        schema = super().get_openapi_schema(**options)
        for methods in schema["paths"].values():
            for operation in methods.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= HTTPStatus.BAD_REQUEST:
                        answer["content"] = {MEDIA_TYPE: answer["content"]["application/json"]}
        return schema


def install(api: NinjaAPI) -> None:
    """Answer every error of an API as a problem."""
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(AuthenticationError, _unauthenticated)
    api.add_exception_handler(HttpError, _http)
    api.add_exception_handler(RequestDataTooBig, _too_large)
    for away in AWAY:
        api.add_exception_handler(away, _unavailable)
    api.add_exception_handler(Exception, _unforeseen)


def problem(status: int, code: str, detail: str, **more: Json) -> HttpResponse:
    """Return a problem answer."""
    body: dict[str, Json] = {
        "type": f"urn:countersign:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE)


def _refused(_request: HttpRequest, error: Any) -> HttpResponse:
    body = error.problem()
    answer = JsonResponse(body, status=error.status, content_type=MEDIA_TYPE)
    if "retry_after" in error.details:
        answer["Retry-After"] = str(error.details["retry_after"])
    return answer


def _invalid(_request: HttpRequest, error: Any) -> HttpResponse:
    errors: list[Json] = [
        {"field": _field(item["loc"]), "message": str(item["msg"])} for item in error.errors
    ]
    first = error.errors[0] if error.errors else {"loc": (), "msg": "The request is not valid."}
    return problem(422, "invalid", f"{_field(first['loc'])}: {first['msg']}", errors=errors)


def _field(place: Sequence[Any]) -> str:
    # The first parts say body or query and the parameter's name; neither is the client's word.
    return ".".join(str(part) for part in place if part not in {"body", "query", "payload"})


def _unauthenticated(_request: HttpRequest, _error: Any) -> HttpResponse:
    sentence = "Send a live token as `Authorization: Bearer …`; tokens are made under Tokens."
    answer = problem(401, "unauthenticated", sentence)
    answer["WWW-Authenticate"] = "Bearer"
    return answer


def _http(_request: HttpRequest, error: Any) -> HttpResponse:
    cause = error.__cause__
    if isinstance(cause, Unreadable):
        return problem(cause.http_status, cause.code, cause.sentence)
    return problem(error.status_code, "bad_request", str(error))


def _too_large(_request: HttpRequest, _error: Any) -> HttpResponse:
    sentence = f"At most {REQUEST_LIMITS.max_bytes} bytes are read."
    return problem(413, "body_too_large", sentence)


def _unforeseen(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    sentence = "Something failed that we did not foresee. Your request may be sent again."
    return problem(500, "unforeseen", sentence, request_id=request_id())


class Doors:
    """The last and synchronous layer: what every answer has, and what the API says of itself.

    Nothing that we answer may be kept by a browser or a proxy; the API says even "no such address"
    and "not this method" as problems.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Keep the next layer."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on and complete the answer. Raises: DisallowedHost (400)."""
        if request.path not in PROBES:
            # Nothing else asks for the host on every way through, so a strange one would pass.
            request.get_host()
        answer = self.get_response(request)
        if request.path.startswith(API) and answer.status_code in UNSPOKEN:
            answer = _spoken(answer)
        answer.headers.setdefault("Cache-Control", "no-store")
        for name, value in headers_of(allowance_of(request)).items():
            answer.headers[name] = value
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say that the database is away, and when to come back."""
        return unavailable(request) if isinstance(error, AWAY) else None


def unavailable(request: HttpRequest) -> HttpResponse:
    """Return the answer for as long as the database cannot be reached, or has no place for us."""
    if request.path.startswith("/api/"):
        return _unavailable_problem()
    # Whatever a page shows around itself would have to be read from the database.
    answer = HttpResponse(
        render_to_string("503.html", {"request_id": request_id()}),
        status=HTTPStatus.SERVICE_UNAVAILABLE,
    )
    answer["Retry-After"] = "2"
    return answer


def _unavailable_problem() -> HttpResponse:
    sentence = "The database does not answer at this moment. Nothing was changed; try again soon."
    answer = problem(503, "unavailable", sentence, request_id=request_id())
    answer["Retry-After"] = "2"
    return answer


def _spoken(answer: HttpResponseBase) -> HttpResponseBase:
    if answer.headers.get("Content-Type") == MEDIA_TYPE:
        return answer
    code, sentence = UNSPOKEN[answer.status_code]
    spoken = problem(answer.status_code, code, sentence)
    if "Allow" in answer.headers:
        spoken["Allow"] = answer.headers["Allow"]
    return spoken


def _unavailable(_request: HttpRequest, error: Any) -> HttpResponse:
    logger.warning("the database is away: %s", error)
    return _unavailable_problem()
