"""How long did each part take? Spans for whoever collects them; without a collector they are free.

A span carries a name of ours and ids, never what anybody sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Tracer(Protocol):
    """What OpenTelemetry calls a tracer."""

    def start_as_current_span(self, name: str, **options: Any) -> Any:
        """Return a context manager that yields a span."""


_tracers: list[Tracer] = []


def use(tracer: Tracer | None) -> None:
    """Hand spans to this tracer from now on, or to nobody."""
    _tracers[:] = [tracer] if tracer else []


@contextmanager
def span(name: str, **ids: str | float) -> Iterator[dict[str, str | float]]:
    """Measure a block; what is added to the yielded ids is told as well, an error by its kind."""
    if not _tracers:
        yield ids
        return
    # An error's words may quote a payload, so the library is not to record them.
    options = {"record_exception": False, "set_status_on_exception": False}
    with _tracers[0].start_as_current_span(name, **options) as measured:
        try:
            yield ids
        except BaseException as error:
            ids["error"] = type(error).__name__
            raise
        finally:
            measured.set_attributes(ids)
