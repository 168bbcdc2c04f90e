"""What people type to say who may approve how much, and who stands in for whom."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator

from approvals.operations.authorising import NOTE_AT_MOST
from approvals.operations.delegating import REASON_AT_MOST

People = Sequence[tuple[UUID, str]]
_DAY = {"type": "date"}
# The day after the last one has to be a day, too.
_IN_TIME = [MaxValueValidator(date(2999, 12, 31))]


class LimitForm(forms.Form):
    """Who may approve how much, of what, and until when."""

    person = forms.TypedChoiceField(label="Who", coerce=UUID)
    action_types = forms.CharField(
        label="Kinds of action",
        max_length=2_000,
        initial="*",
        help_text="Names or patterns such as pay_*, separated by commas; * is all of them.",
    )
    amount = forms.DecimalField(
        label="Up to this amount",
        required=False,
        min_value=Decimal(0),
        max_digits=24,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Empty is any amount.",
    )
    currency = forms.CharField(
        label="Currency",
        required=False,
        max_length=3,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "EUR"}),
    )
    last_day = forms.DateField(
        label="Last day, in UTC",
        required=False,
        validators=_IN_TIME,
        widget=forms.DateInput(attrs=_DAY),
        help_text="Such as the day on which a licence ends; empty is for good.",
    )
    note = forms.CharField(label="Note", required=False, max_length=NOTE_AT_MOST)

    def __init__(self, people: People, *args: Any, **kwargs: Any) -> None:
        """Offer these people."""
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["person"].choices = _offered(people)  # type: ignore[attr-defined]

    def clean_currency(self) -> str:
        """Codes of currencies are written in capitals."""
        return str(self.cleaned_data["currency"]).strip().upper()

    @property
    def patterns(self) -> list[str]:
        """Return the kinds of action."""
        said = self.cleaned_data["action_types"].split(",")
        return [name.strip() for name in said if name.strip()]

    @property
    def expires_at(self) -> datetime | None:
        """Return the end of the last day."""
        return _end_of(self.cleaned_data["last_day"]) if self.cleaned_data["last_day"] else None


class AwayForm(forms.Form):
    """Who stands in for whom, and on which days."""

    person = forms.TypedChoiceField(label="Who is away", coerce=UUID)
    delegate = forms.TypedChoiceField(label="Who stands in", coerce=UUID)
    first_day = forms.DateField(label="First day, in UTC", widget=forms.DateInput(attrs=_DAY))
    last_day = forms.DateField(
        label="Last day, in UTC", validators=_IN_TIME, widget=forms.DateInput(attrs=_DAY)
    )
    reason = forms.CharField(label="Reason", required=False, max_length=REASON_AT_MOST)

    def __init__(self, people: People, delegates: People, *args: Any, **kwargs: Any) -> None:
        """Offer these people."""
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["person"].choices = _offered(people)  # type: ignore[attr-defined]
        self.fields["delegate"].choices = _offered(delegates)  # type: ignore[attr-defined]

    @property
    def begins_at(self) -> datetime:
        """Return the beginning of the first day."""
        return datetime.combine(self.cleaned_data["first_day"], time.min, UTC)

    @property
    def ends_at(self) -> datetime:
        """Return the end of the last day."""
        return _end_of(self.cleaned_data["last_day"])


def _end_of(day: Any) -> datetime:
    return datetime.combine(day, time.min, UTC) + timedelta(days=1)


def _offered(people: People) -> list[tuple[str, str]]:
    return [("", "Choose…"), *((str(person), name) for person, name in people)]
