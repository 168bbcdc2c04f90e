"""Addresses of what somebody is told, and of webhooks."""

from django.urls import path

from console.notices.views import preferences, webhooks

app_name = "notices"
HOOK = "settings/webhooks/<uuid:webhook_id>/"
urlpatterns = [
    path("settings/notifications/", preferences.preferences, name="preferences"),
    path("settings/notifications/choose/", preferences.choose, name="choose"),
    path("settings/webhooks/", webhooks.webhooks, name="webhooks"),
    path("settings/webhooks/add/", webhooks.webhook_add, name="webhook_add"),
    path(HOOK, webhooks.webhook, name="webhook"),
    path(f"{HOOK}change/", webhooks.webhook_change, name="webhook_change"),
    path(f"{HOOK}rotate/", webhooks.webhook_rotate, name="webhook_rotate"),
    path(f"{HOOK}disable/", webhooks.webhook_disable, name="webhook_disable"),
    path(f"{HOOK}enable/", webhooks.webhook_enable, name="webhook_enable"),
    path(f"{HOOK}remove/", webhooks.webhook_remove, name="webhook_remove"),
    path(f"{HOOK}test/", webhooks.webhook_test, name="webhook_test"),
    path(f"{HOOK}deliveries/<uuid:delivery_id>/redeliver/", webhooks.redeliver, name="redeliver"),
]
