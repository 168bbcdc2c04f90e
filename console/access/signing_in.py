"""Signing in: the address and the password, then the second factor of whoever has one.

Between the two steps nobody is signed in; the session only remembers, for five minutes, whose
password was right.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from console.access.forms import SecondStep, SignIn
from console.access.models import User
from console.access.operations import stepping_up
from console.access.operations.stepping_up import FRESH, purpose_of
from console.access.queries import factor_kinds
from console.errors import Forbidden, Refused
from console.limiting.meeting import meet_stranger

BACKEND = "django.contrib.auth.backends.ModelBackend"
SIGNING_IN = purpose_of("sign in")
_WAITING = "second_step"


class FirstStepGone(Forbidden):
    """Your password was checked too long ago; start again with it."""

    code = "first_step_gone"


class SignInView(LoginView):
    """Let a person in, or on to the second step."""

    template_name = "access/sign_in.html"
    authentication_form = SignIn
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Try an address and a password; nobody tries many from one place."""
        meet_stranger(request, "sign_in")
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Let in whoever has no second factor; the others have shown half of who they are."""
        person = cast("User", form.get_user())
        if not factor_kinds(person.id):
            return super().form_valid(form)
        self.request.session[_WAITING] = {
            "person": str(person.id),
            "at": datetime.now(UTC).timestamp(),
            "next": self.get_redirect_url(),
        }
        return redirect("access:second_step")


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for a one-time code, a recovery code or a passkey, and let the person in."""
    try:
        person = _waiting(request)
    except FirstStepGone:
        return redirect("access:sign_in")
    if request.method == "POST":
        meet_stranger(request, "sign_in")
    form = SecondStep(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _prove(request, person, form)
        except Refused as refused:
            form.add_error(None, refused.sentence)
            return _page(request, person, form, refused.status)
        return _let_in(request, person)
    return _page(request, person, form)


@require_POST
def second_step_passkey(request: HttpRequest) -> JsonResponse:
    """Say what a passkey has to sign for signing in."""
    try:
        options = stepping_up.begin_passkey(
            person=_waiting(request),
            purpose=SIGNING_IN,
            host=request.get_host().partition(":")[0],
            now=datetime.now(UTC),
        )
    except Refused as refused:
        return JsonResponse(refused.problem(), status=refused.status)
    return JsonResponse(options)


def _waiting(request: HttpRequest) -> UUID:
    kept = request.session.get(_WAITING)
    if kept is None or datetime.now(UTC).timestamp() - kept["at"] > FRESH.total_seconds():
        raise FirstStepGone
    return UUID(kept["person"])


def _prove(request: HttpRequest, person: UUID, form: SecondStep) -> None:
    now = datetime.now(UTC)
    if answer := form.cleaned_data["passkey"]:
        stepping_up.step_up_with_passkey(
            person=person, purpose=SIGNING_IN, assertion=answer, now=now
        )
    else:
        code = form.cleaned_data["code"]
        stepping_up.second_step(person=person, purpose=SIGNING_IN, code=code, now=now)


def _let_in(request: HttpRequest, person: UUID) -> HttpResponse:
    kept = request.session.pop(_WAITING)
    login(request, User.objects.get(id=person, is_active=True), backend=BACKEND)
    wanted = kept["next"]
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return redirect(wanted)
    return redirect("access:home")


def _page(
    request: HttpRequest, person: UUID, form: SecondStep, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = {"form": form, "kinds": factor_kinds(person)}
    return render(request, "access/second_step.html", context, status=status)
