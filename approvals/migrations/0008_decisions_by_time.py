"""People look at their own decisions, and at all of a workspace, by time."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_decisions_that_stand_up"),
        ("approvals", "0007_promises_of_decisions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["workspace", "-decided_at"], name="decisions_newest"),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["person", "-decided_at"], name="decisions_of_a_person"),
        ),
    ]
