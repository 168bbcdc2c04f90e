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
]
