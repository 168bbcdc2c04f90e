"""Addresses for getting in, and for tokens."""

from django.urls import path

from console.access import views

app_name = "access"
urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", views.SignInView.as_view(), name="sign_in"),
    path("sign-out/", views.SignOutView.as_view(), name="sign_out"),
    path("w/<slug:workspace>/tokens/", views.tokens, name="tokens"),
    path("w/<slug:workspace>/tokens/make/", views.token_make, name="token_make"),
    path(
        "w/<slug:workspace>/tokens/<uuid:token_id>/revoke/", views.token_revoke, name="token_revoke"
    ),
]
