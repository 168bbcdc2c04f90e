"""What people choose about notifications, and type to have events sent elsewhere."""

from typing import Any

from django import forms

from console.notices.events import EVENTS, GROUPS
from console.notices.queries import Choice
from console.notices.schedule import DIGEST_HOUR, zones
from console.reaching.targets import URL_AT_MOST

WAYS = {"immediate": "At once", "digest": "In the daily digest", "off": "Not by e-mail"}
HEARD = [(name, event.one) for name, event in EVENTS.items()]


class PreferenceForm(forms.Form):
    """One way per group of events, and when the digest goes out."""

    digest_hour = forms.TypedChoiceField(
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        coerce=int,
        initial=DIGEST_HOUR,
        label="The daily digest goes out at",
    )
    zone = forms.ChoiceField(label="In the time zone", initial="UTC")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Ask for each group there is, and offer the zones that this machine knows."""
        super().__init__(*args, **kwargs)
        own = {
            name: forms.ChoiceField(
                choices=[(how, WAYS[how]) for how in group.choices],
                initial=group.how,
                label=group.label,
            )
            for name, group in GROUPS.items()
        }
        zone = self.fields["zone"]
        if isinstance(zone, forms.ChoiceField):
            zone.choices = [(name, name.replace("_", " ")) for name in zones()]
        self.fields = {**own, **self.fields}

    @classmethod
    def of(cls, choice: Choice) -> "PreferenceForm":
        """Return the form as a person has filled it in before."""
        when = {"digest_hour": choice.digest_hour, "zone": choice.zone}
        return cls(initial={**choice.chosen, **when})

    @property
    def chosen(self) -> dict[str, str]:
        """Return the way chosen for each group."""
        return {name: self.cleaned_data[name] for name in GROUPS}


class WebhookForm(forms.Form):
    """Where events are sent, and which."""

    url = forms.CharField(
        max_length=URL_AT_MOST,
        label="Where to?",
        help_text="An address that begins with https:// and takes POST.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "placeholder": "https://hooks.example/countersign"}
        ),
    )
    events = forms.MultipleChoiceField(
        choices=HEARD, label="What does it hear?", widget=forms.CheckboxSelectMultiple
    )


class EventsForm(forms.Form):
    """Which events a webhook hears."""

    events = forms.MultipleChoiceField(
        choices=HEARD, label="What does it hear?", widget=forms.CheckboxSelectMultiple
    )
