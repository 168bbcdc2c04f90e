"""The worker's application: `celery -A console.celery worker -Q runs`."""

import os

import django
from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

app = Celery("countersign")
app.conf.update(settings.CELERY)
app.autodiscover_tasks(["agents", "approvals", "console.notices", "console.pulse"])
