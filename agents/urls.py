"""Addresses of runs and jobs, of agents, and of what is done to them and to States."""

from django.urls import path

from agents.views import (
    board,
    budgets,
    drift,
    guard_settings,
    pauses,
    restorations,
    retention,
    tracing,
    work,
    workflows,
)

app_name = "agents"
_RESTORATION = "restorations/<uuid:restoration_id>/"
urlpatterns = [
    path("runs/", work.run_list, name="run_list"),
    path("runs/<uuid:run_id>/", work.run_detail, name="run_detail"),
    path("runs/<uuid:run_id>/earlier/", work.run_earlier, name="run_earlier"),
    path("runs/<uuid:run_id>/steps/<int:index>/", work.run_step, name="run_step"),
    path("workflows/", workflows.workflow_list, name="workflow_list"),
    path("workflows/<str:name>/", workflows.workflow_detail, name="workflow_detail"),
    path(
        "runs/<uuid:run_id>/steps/<int:index>/origin/",
        tracing.run_step_origin,
        name="run_step_origin",
    ),
    path(
        "runs/<uuid:run_id>/steps/<int:index>/effects/",
        tracing.run_step_effects,
        name="run_step_effects",
    ),
    path("runs/compare/", tracing.run_compare, name="run_compare"),
    path("runs/<uuid:run_id>/trace/", tracing.run_trace, name="run_trace"),
    path("jobs/", work.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/calls/", work.job_calls, name="job_calls"),
    path("jobs/<uuid:job_id>/cancel/", work.job_cancel, name="job_cancel"),
    path("agents/", board.agent_list, name="board"),
    path("agents/halt/", board.halt, name="halt"),
    path("agents/lift/", board.lift, name="lift"),
    path("agents/<uuid:agent_id>/", board.agent_detail, name="agent_detail"),
    path("agents/<uuid:agent_id>/pause/", board.agent_pause, name="agent_pause"),
    path("agents/<uuid:agent_id>/resume/", board.agent_resume, name="agent_resume"),
    path("agents/<uuid:agent_id>/stop/", board.agent_stop, name="agent_stop"),
    path("budgets/", budgets.budget_detail, name="budgets"),
    path("budgets/set/", budgets.budget_set, name="budget_set"),
    path("retention/", retention.retention, name="retention"),
    path("retention/<uuid:state_id>/", retention.retention_state, name="retention_state"),
    path("retention/<uuid:state_id>/run/", retention.retention_run, name="retention_run"),
    path("restorations/", restorations.restoration_list, name="restorations"),
    path(f"{_RESTORATION}", restorations.restoration, name="restoration"),
    path(f"{_RESTORATION}confirm/", restorations.restoration_confirm, name="restoration_confirm"),
    path(f"{_RESTORATION}again/", restorations.restoration_again, name="restoration_again"),
    path(f"{_RESTORATION}replan/", restorations.restoration_replan, name="restoration_replan"),
    path(f"{_RESTORATION}discard/", restorations.restoration_discard, name="restoration_discard"),
    path("states/<uuid:state_id>/rollback/", restorations.rollback_new, name="rollback_new"),
    path(
        "states/<uuid:state_id>/reinitialise/",
        restorations.reinitialise_new,
        name="reinitialise_new",
    ),
    path(
        "runs/<uuid:run_id>/reinitialise/", restorations.reinitialise_new, name="reinitialise_new"
    ),
    path("agents/<str:name>/reinitialise/", restorations.reinitialise_new, name="reinitialise_new"),
    path("pauses/", pauses.pause_list, name="pauses"),
    path("pauses/<uuid:pause_id>/", pauses.pause, name="pause"),
    path("pauses/<uuid:pause_id>/answer/", pauses.pause_answer, name="pause_answer"),
    path("workflows/<str:name>/guards/", guard_settings.guard_settings, name="guard_settings"),
    path("drift/", drift.drift_list, name="drift"),
    path("drift/measure/", drift.drift_measure, name="drift_measure"),
    path("drift/<uuid:state_id>/", drift.drift_state, name="drift_state"),
    path("drift/<uuid:state_id>/measure/", drift.drift_state_measure, name="drift_state_measure"),
    path("drift/<uuid:state_id>/limits/", drift.drift_limits, name="drift_limits"),
    path("states/<uuid:state_id>/memory/", drift.memory_detail, name="memory"),
    path("states/<uuid:state_id>/memory/sweep/", drift.memory_sweep, name="memory_sweep"),
]
