"""A run may word its proposal anew, answer a question, or take a proposal back."""

from django.db import migrations, models

_BEFORE = [
    "event",
    "guard",
    "handoff",
    "memory",
    "model_call",
    "outcome",
    "proposal",
    "tool_call",
]
_NAME = "a_step_kind_is_known"


def _known(kinds: list[str]) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(kind__in=kinds), name=_NAME)


class Migration(migrations.Migration):
    """Steps of the kind `reply`."""

    dependencies = [("agents", "0005_promises_of_restorations")]
    operations = [
        migrations.RemoveConstraint("step", _NAME),
        migrations.AddConstraint("step", _known(sorted([*_BEFORE, "reply"]))),
    ]
