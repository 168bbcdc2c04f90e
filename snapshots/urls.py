"""Addresses of States and their snapshots."""

from django.urls import path

from snapshots import views

app_name = "snapshots"
_ONE = "states/<uuid:state_id>/"
urlpatterns = [
    path("states/", views.state_list, name="state_list"),
    path(_ONE, views.state_detail, name="state_detail"),
    path(f"{_ONE}compare/", views.state_compare, name="state_compare"),
    path(f"{_ONE}snapshots/<int:number>/", views.snapshot_detail, name="snapshot_detail"),
    path(f"{_ONE}snapshots/<int:number>/file/", views.snapshot_file, name="snapshot_file"),
    path(f"{_ONE}snapshots/<int:number>/marks/", views.snapshot_marks, name="snapshot_marks"),
    path(f"{_ONE}marks/<uuid:mark_id>/remove/", views.mark_remove, name="mark_remove"),
    path(f"{_ONE}holds/", views.hold_make, name="hold_make"),
    path(f"{_ONE}holds/<uuid:mark_id>/lift/", views.hold_lift, name="hold_lift"),
    path(f"{_ONE}file/", views.state_file, name="state_file"),
    path(f"{_ONE}outside/", views.state_outside, name="state_outside"),
    path(f"{_ONE}outside/read/", views.outside_read, name="outside_read"),
    path(f"{_ONE}outside/take-in/", views.outside_take_in, name="outside_take_in"),
    path(f"{_ONE}outside/mirror/", views.outside_mirror, name="outside_mirror"),
]
