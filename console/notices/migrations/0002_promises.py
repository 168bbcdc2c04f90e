"""Nobody is told of what happened in another workspace."""

from django.db import migrations

from console.promises import same_workspace


class Migration(migrations.Migration):
    """What the database itself promises about notices and webhooks."""

    dependencies = [("notices", "0001_initial")]
    operations = [
        same_workspace("notices_notice", "event_id", "notices_event"),
        same_workspace("notices_notice", "mail_id", "notices_mail"),
        same_workspace("notices_delivery", "webhook_id", "notices_webhook"),
    ]
