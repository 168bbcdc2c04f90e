"""Addresses for getting in, and for tokens."""

from django.urls import path

from console.access import security, signing_in, views

app_name = "access"
urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", signing_in.SignInView.as_view(), name="sign_in"),
    path("sign-in/second/", signing_in.second_step, name="second_step"),
    path("sign-in/second/passkey/", signing_in.second_step_passkey, name="second_step_passkey"),
    path("sign-out/", views.SignOutView.as_view(), name="sign_out"),
    path("security/", security.security, name="security"),
    path("security/confirm/", security.security_confirm, name="security_confirm"),
    path("security/confirm/passkey/", security.security_passkey, name="security_passkey"),
    path("security/code/", security.code_enrol, name="code_enrol"),
    path("security/passkeys/begin/", security.passkey_begin, name="passkey_begin"),
    path("security/passkeys/add/", security.passkey_add, name="passkey_add"),
    path("security/recovery/", security.recovery_renew, name="recovery_renew"),
    path("security/<int:factor_id>/remove/", security.factor_remove, name="factor_remove"),
    path("w/<slug:workspace>/tokens/", views.tokens, name="tokens"),
    path("w/<slug:workspace>/tokens/make/", views.token_make, name="token_make"),
    path(
        "w/<slug:workspace>/tokens/<uuid:token_id>/revoke/", views.token_revoke, name="token_revoke"
    ),
]
