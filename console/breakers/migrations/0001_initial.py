"""Circuit breakers, shared by all processes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Breaker",
            fields=[
                ("name", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("status", models.CharField(default="closed", max_length=8)),
                ("failures", models.IntegerField(default=0)),
                ("openings", models.IntegerField(default=0)),
                ("until", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "closed"),
                            models.Q(("status__in", ["open", "probing"]), ("until__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_breaker_that_is_not_closed_says_until_when",
                    )
                ],
            },
        ),
    ]
