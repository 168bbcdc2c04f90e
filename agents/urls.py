"""Addresses of runs and jobs."""

from django.urls import path

from agents.views import work

app_name = "agents"
urlpatterns = [
    path("runs/", work.run_list, name="run_list"),
    path("runs/<uuid:run_id>/", work.run_detail, name="run_detail"),
    path("runs/<uuid:run_id>/earlier/", work.run_earlier, name="run_earlier"),
    path("runs/<uuid:run_id>/steps/<int:index>/", work.run_step, name="run_step"),
    path("jobs/", work.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/calls/", work.job_calls, name="job_calls"),
    path("jobs/<uuid:job_id>/cancel/", work.job_cancel, name="job_cancel"),
]
