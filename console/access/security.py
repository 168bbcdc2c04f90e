"""Pages on which somebody adds and removes what they prove themselves with.

Whoever changes anything here has shown within the last minutes that it is them: with a factor they
have, or with the password while they have none.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

import qrcode
from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access.forms import Confirm, FirstCode, PasskeyForm
from console.access.models import User
from console.access.operations import enrolling, stepping_up
from console.access.operations.stepping_up import FRESH, StepUpRequired, purpose_of
from console.access.queries import factor_kinds, factors_of
from console.errors import Refused

CONFIRMING = purpose_of("change what somebody proves themselves with")
_CONFIRMED, _SECRET, _MAKING = "security_confirmed", "totp_secret", "passkey_making"

View = Callable[..., HttpResponse]


@require_GET
@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    """Show what a person proves themselves with, and when each was last used."""
    return _page(request)


@sensitive_post_parameters()
@never_cache
@require_POST
@login_required
def security_confirm(request: HttpRequest) -> HttpResponse:
    """Make sure that it is the person, for the next minutes."""
    form = Confirm(request.POST)
    if not form.is_valid():
        return _page(request, confirm=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        _prove(_person(request), form)
    except Refused as refused:
        form.add_error(None, refused.sentence)
        return _page(request, confirm=form, status=refused.status)
    request.session[_CONFIRMED] = [str(_person(request)), datetime.now(UTC).timestamp()]
    return redirect("access:security")


@require_POST
@login_required
def security_passkey(request: HttpRequest) -> JsonResponse:
    """Say what a passkey has to sign to confirm who it is."""
    try:
        options = stepping_up.begin_passkey(
            person=_person(request),
            purpose=CONFIRMING,
            host=_host(request),
            now=datetime.now(UTC),
        )
    except Refused as refused:
        return JsonResponse(refused.problem(), status=refused.status)
    return JsonResponse(options)


def confirmed(view: View) -> View:
    """Let a view be entered only by whoever confirmed a moment ago who they are."""

    @wraps(view)
    def enter(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not _is_confirmed(request):
            raise StepUpRequired
        return view(request, **kwargs)

    return login_required(never_cache(enter))


@require_http_methods(["GET", "POST"])
@confirmed
def code_enrol(request: HttpRequest) -> HttpResponse:
    """Show a secret for one-time codes and keep it once its first code was typed."""
    adapter = get_adapter()
    secret = _secret(request)
    form = FirstCode(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            enrolling.enrol_totp(
                person=_person(request),
                secret=secret,
                code=form.cleaned_data["code"],
                now=datetime.now(UTC),
            )
        except Refused as refused:
            form.add_error("code", refused.sentence)
        else:
            del request.session[_SECRET]
            messages.success(request, "From now on you sign with one-time codes.")
            return redirect("access:security")
    address = adapter.build_totp_url(_user(request), secret)
    picture = _drawn(address)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "secret": secret, "address": address, **picture}
    return render(request, "access/code_enrol.html", context, status=status)


@require_POST
@confirmed
def passkey_begin(request: HttpRequest) -> HttpResponse:
    """Say what a passkey is made from."""
    try:
        options, state = enrolling.begin_passkey_enrolment(
            person=_person(request), host=_host(request)
        )
    except Refused as refused:
        return JsonResponse(refused.problem(), status=refused.status)
    request.session[_MAKING] = state
    return JsonResponse(options)


@require_POST
@confirmed
def passkey_add(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser has made."""
    form, state = PasskeyForm(request.POST), request.session.pop(_MAKING, None)
    if not form.is_valid() or state is None:
        return _page(request, naming=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        enrolling.add_passkey(
            person=_person(request),
            name=form.cleaned_data["name"],
            credential=form.cleaned_data["passkey"],
            state=state,
        )
    except Refused as refused:
        form.add_error("name", refused.sentence)
        return _page(request, naming=form, status=refused.status)
    messages.success(request, "The passkey is added.")
    return redirect("access:security")


@require_POST
@confirmed
def recovery_renew(request: HttpRequest) -> HttpResponse:
    """Make recovery codes; they stand on this reply and nowhere else."""
    if not {"totp", "webauthn"} & factor_kinds(_person(request)):
        return redirect("access:security")
    codes = enrolling.renew_recovery_codes(person=_person(request))
    return _page(request, codes=codes)


@require_POST
@confirmed
def factor_remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Take a factor away."""
    enrolling.remove_factor(person=_person(request), factor_id=factor_id)
    messages.success(request, "It is removed. Nobody proves anything with it any more.")
    return redirect("access:security")


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _person(request: HttpRequest) -> UUID:
    return _user(request).id


def _host(request: HttpRequest) -> str:
    return request.get_host().partition(":")[0]


def _is_name(host: str) -> bool:
    """Say whether browsers make passkeys for this host: only for names, never for addresses."""
    return host[:1] != "[" and not host.replace(".", "").isdigit()


def _is_confirmed(request: HttpRequest) -> bool:
    person, at = request.session.get(_CONFIRMED, ("", 0.0))
    age = datetime.now(UTC).timestamp() - at
    return bool(person == str(_person(request)) and age < FRESH.total_seconds())


def _prove(person: UUID, form: Confirm) -> None:
    said, now = form.cleaned_data, datetime.now(UTC)
    if said["passkey"]:
        stepping_up.step_up_with_passkey(
            person=person, purpose=CONFIRMING, assertion=said["passkey"], now=now
        )
    elif not factor_kinds(person):
        stepping_up.confirm_password(person=person, password=said["password"], now=now)
    else:
        stepping_up.confirm(
            person=person,
            purpose=CONFIRMING,
            password=said["password"],
            code=said["code"],
            now=now,
        )


def _secret(request: HttpRequest) -> str:
    """Return the secret that is shown until its first code was typed; sealed in the session."""
    adapter = get_adapter()
    if _SECRET not in request.session:
        request.session[_SECRET] = adapter.encrypt(generate_totp_secret())
    return str(adapter.decrypt(request.session[_SECRET]))


def _drawn(address: str) -> dict[str, Any]:
    """Return the squares of a QR code as one path, for an SVG without any style."""
    code = qrcode.QRCode(border=4)
    code.add_data(address)
    matrix = code.get_matrix()
    squares = [
        f"M{x} {y}h1v1h-1z"
        for y, line in enumerate(matrix)
        for x, is_dark in enumerate(line)
        if is_dark
    ]
    return {"qr": "".join(squares), "qr_size": len(matrix)}


def _page(
    request: HttpRequest,
    *,
    confirm: Confirm | None = None,
    naming: PasskeyForm | None = None,
    codes: list[str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    person = _person(request)
    factors = factors_of(person)
    context = {
        "factors": factors,
        "kinds": {factor.kind for factor in factors},
        "is_confirmed": _is_confirmed(request),
        "confirm": confirm or Confirm(),
        "naming": naming or PasskeyForm(),
        "codes": codes,
        "host_is_named": _is_name(_host(request)),
    }
    return render(request, "access/security.html", context, status=status)
