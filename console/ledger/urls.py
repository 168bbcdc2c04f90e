"""The address of the ledger."""

from django.urls import path

from console.ledger import views

app_name = "ledger"
urlpatterns = [path("ledger/", views.entries, name="entries")]
