"""What people type to get in, and to let a program in."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from console.access.operations.keying import NAME_AT_MOST
from console.access.rights import SCOPES

WRONG = "This address and this password do not belong together."
LONGEST_ADDRESS = 254
ANSWER_AT_MOST = 20_000
LIFETIMES = {30: "30 days", 90: "90 days", 180: "180 days", 365: "a year"}


class SignIn(AuthenticationForm):
    """An e-mail address and a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Call the user name what it is here."""
        super().__init__(*args, **kwargs)
        self.error_messages = {**self.error_messages, "invalid_login": WRONG}
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autocomplete": "username", "autofocus": True, "maxlength": LONGEST_ADDRESS}
        )

    def clean_username(self) -> str:
        """Addresses are kept in small letters."""
        address: str = self.cleaned_data["username"]
        # A widget's limit binds only browsers; the record of failures has room for this much.
        if len(address) > LONGEST_ADDRESS:
            raise forms.ValidationError(WRONG)
        return address.strip().lower()


class TokenForm(forms.Form):
    """What a token is for, what it may do, and for how long."""

    name = forms.CharField(
        max_length=NAME_AT_MOST,
        label="What is it for?",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "nightly invoice job"}),
    )
    scopes = forms.MultipleChoiceField(
        choices=list(SCOPES.items()),
        label="What may it do?",
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedChoiceField(
        choices=list(LIFETIMES.items()), coerce=int, initial=90, label="How long does it live?"
    )

    @property
    def lifetime(self) -> timedelta:
        """Return how long the token shall live."""
        return timedelta(days=self.cleaned_data["days"])


class Assertion(forms.Field):
    """What a browser answers for a passkey: a JSON object, or nothing."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        """Return the object. Raises: ValidationError."""
        if not value:
            return None
        try:
            answer = json.loads(str(value)[:ANSWER_AT_MOST])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("This is no answer of a passkey.") from error
        if not isinstance(answer, dict):
            raise forms.ValidationError("This is no answer of a passkey.")
        return answer


class SecondStep(forms.Form):
    """A one-time code, a recovery code, or a passkey."""

    code = forms.CharField(
        required=False,
        max_length=20,
        label="Code",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )
    passkey = Assertion(required=False)


class Confirm(forms.Form):
    """The password with a code, or a passkey."""

    password = forms.CharField(
        required=False,
        max_length=200,
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        required=False,
        max_length=20,
        label="One-time code, or a recovery code",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    passkey = Assertion(required=False)


class FirstCode(forms.Form):
    """The first code that a new secret makes."""

    code = forms.CharField(
        max_length=12,
        label="The code that your app shows now",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


class PasskeyForm(forms.Form):
    """What a passkey is called, and what the browser made."""

    name = forms.CharField(
        max_length=80,
        label="What do you call it?",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "blue key, laptop"}),
    )
    passkey = Assertion()
