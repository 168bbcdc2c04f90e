"""Addresses of runs and jobs."""

from django.urls import path

from agents import views

app_name = "agents"
urlpatterns = [
    path("runs/", views.run_list, name="run_list"),
    path("runs/<uuid:run_id>/", views.run_detail, name="run_detail"),
    path("runs/<uuid:run_id>/earlier/", views.run_earlier, name="run_earlier"),
    path("runs/<uuid:run_id>/steps/<int:index>/", views.run_step, name="run_step"),
    path("jobs/", views.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/calls/", views.job_calls, name="job_calls"),
    path("jobs/<uuid:job_id>/cancel/", views.job_cancel, name="job_cancel"),
]
