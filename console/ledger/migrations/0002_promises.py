"""The ledger only grows."""

from django.db import migrations

from console.promises import append_only


class Migration(migrations.Migration):
    """What the database itself promises about the record."""

    dependencies = [("ledger", "0001_initial")]
    operations = [append_only("ledger_entry")]
