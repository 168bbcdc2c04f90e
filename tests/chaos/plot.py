"""How does a soak look? Two charts over the same minutes, as plain SVG."""

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, GAP = 900, 260, 60, 70
COLOURS = ("#1b6ca8", "#c2571a", "#2d7d46", "#8a3ffc", "#b3261e", "#6b5d00", "#00696d", "#555555")


def svg(samples: Sequence[dict[str, Any]]) -> str:
    """Return the memory of every process above, the p95 of submitting below."""
    names = sorted({name for sample in samples for name in sample["rss"]})
    memory = {name: [(s["at"], s["rss"].get(name)) for s in samples] for name in names}
    p95 = {"p95, ms": [(s["at"], s["p95"]) for s in samples]}
    parts = [_chart("Memory with children, MB", memory, 0), _chart("p95 of submitting, ms", p95, 1)]
    height = 2 * (HEIGHT + GAP) + 20 * (1 + len(names) // 4)
    style = "<style>text{font:12px system-ui,sans-serif;fill:#333}</style>"
    size = f'width="{WIDTH + LEFT + 20}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{"".join(parts)}</svg>\n'


def _chart(title: str, series: dict[str, list[tuple[float, float | None]]], place: int) -> str:
    top = 30 + place * (HEIGHT + GAP)
    points = [point for line in series.values() for point in line if point[1] is not None]
    right = max((at for at, _ in points), default=1.0)
    highest = max((value or 0.0 for _, value in points), default=1.0) * 1.05
    lines = [
        _line(line, COLOURS[n % len(COLOURS)], top, right, highest)
        for n, line in enumerate(series.values())
    ]
    names = [
        f'<text x="{LEFT + (n % 6) * 145}" y="{top + HEIGHT + 34 + 14 * (n // 6)}" '
        f'style="fill:{COLOURS[n % len(COLOURS)]}">{escape(name)}</text>'
        for n, name in enumerate(series)
    ]
    marks = [_mark(highest * share, top, highest) for share in (0, 0.25, 0.5, 0.75, 1)]
    bottom = f'<text x="{LEFT + WIDTH - 60}" y="{top + HEIGHT + 16}">{right:.0f} s</text>'
    head = f'<text x="{LEFT}" y="{top - 8}" style="font-weight:600">{escape(title)}</text>'
    return "".join([head, *marks, *lines, *names, bottom])


def _line(
    points: list[tuple[float, float | None]], colour: str, top: int, right: float, highest: float
) -> str:
    drawn = " ".join(
        f"{LEFT + at / right * WIDTH:.1f},{top + HEIGHT - value / highest * HEIGHT:.1f}"
        for at, value in points
        if value is not None
    )
    return f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _mark(value: float, top: int, highest: float) -> str:
    y = top + HEIGHT - value / highest * HEIGHT
    line = f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
    return f'{line}<text x="8" y="{y + 4:.1f}">{value:.0f}</text>'
