"""Buckets, in a table without a write-ahead log: they are written at every call of the API."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One table."""

    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
        migrations.CreateModel(
            name="Bucket",
            fields=[
                ("key", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("tokens", models.FloatField()),
                ("at", models.DateTimeField()),
                ("is_allowed", models.BooleanField(default=True)),
            ],
        ),
        migrations.RunSQL(
            # Rows are small and change in place, so they find room on their own page.
            "ALTER TABLE limiting_bucket SET UNLOGGED;"
            "ALTER TABLE limiting_bucket SET (fillfactor = 50)",
            "ALTER TABLE limiting_bucket SET LOGGED",
        ),
    ]
