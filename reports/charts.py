"""Line charts as SVG, for print: lines differ in dash and marker, not in color alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 48
TICKS = 7
FEWEST_MARKED = 24  # points: of a line with more none is marked
STYLES = (("#1f4e79", "", "circle"), ("#b3541e", "7 4", "square"), ("#4d7a3a", "2 3", "circle"))
FONT = "Libertinus Serif, Iowan Old Style, Georgia, serif"


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name and its points, x rising."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axes:
    """What the axes say; the labels of x where its ticks are not numbers, each at its x."""

    x: str
    y: str
    x_labels: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class _Scale:
    """Where values stand on the page."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )


def line_chart(lines: Sequence[Line], axes: Axes) -> str:
    """Draw lines over common axes, the values' axis from 0.

    Args:
        lines: at most three, each with a point at least.
        axes: their labels.
    """
    xs = [x for line in lines for x, _ in line.points]
    xs += [x for x, _ in axes.x_labels]
    ys = [y for line in lines for _, y in line.points]
    y_ticks = _ticks(min(0.0, *ys), max(ys) or 1.0)
    low, high = min(xs), max(xs)
    scale = _Scale((low, high if high > low else low + 1), (y_ticks[0], y_ticks[-1]))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="{FONT}" font-size="14" fill="#1a1a1a">'
    ]
    parts += _grid(scale, y_ticks, axes)
    for number, line in enumerate(lines):
        parts += _drawn(scale, line, number)
    return "".join([*parts, *_legend(lines), "</svg>"])


def line_summary(line: Line) -> str:
    """What a line shows, in words: its first, lowest and last value."""
    ys = [y for _, y in line.points]
    if len(ys) == 1:
        return f"{line.name}: {ys[0]:.3g}"
    return f"{line.name}: from {ys[0]:.3g} to {ys[-1]:.3g}, lowest {min(ys):.3g}"


def _ticks(low: float, high: float) -> list[float]:
    """Round values around the range, evenly spaced."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    interval = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    return [n * interval for n in range(floor(low / interval), ceil(high / interval) + 1)]


def _grid(scale: _Scale, y_ticks: Sequence[float], axes: Axes) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value in y_ticks:
        _, y = scale.place(scale.x_range[0], value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>')
    x_labels = axes.x_labels or [(x, f"{x:,g}") for x in _inner_ticks(*scale.x_range)]
    for value, text in x_labels:
        x, _ = scale.place(value, scale.y_range[0])
        parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#1a1a1a"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(text)}</text>'
        )
    parts.append(f'<path d="M{LEFT} {bottom}H{right}" stroke="#1a1a1a"/>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(axes.x)}</text>'
    )
    parts.append(f'<text x="8" y="16">{escape(axes.y)}</text>')
    return parts


def _inner_ticks(low: float, high: float) -> list[float]:
    return [x for x in _ticks(low, high) if low <= x <= high]


def _drawn(scale: _Scale, line: Line, number: int) -> list[str]:
    color, dash, marker = STYLES[number % len(STYLES)]
    places = [scale.place(x, y) for x, y in line.points]
    path = "".join(f"{'ML'[index > 0]}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    parts = [f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2"{dashes}/>']
    if len(places) < FEWEST_MARKED:
        parts += [_marker(marker, x, y, color) for x, y in places]
    return parts


def _marker(marker: str, x: float, y: float, color: str) -> str:
    if marker == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'
    return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{color}"/>'


def _legend(lines: Sequence[Line]) -> list[str]:
    """Names at the upper right, right to left."""
    parts = []
    right = WIDTH - RIGHT
    for number, line in reversed(list(enumerate(lines))):
        color, dash, _ = STYLES[number % len(STYLES)]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<text x="{right}" y="16" text-anchor="end">{escape(line.name)}</text>')
        start = right - 7 * len(line.name) - 38
        parts.append(
            f'<path d="M{start} 11h30" stroke="{color}" stroke-width="2" fill="none"{dashes}/>'
        )
        right = start - 22
    return parts


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many points, each the mean of neighbours."""
    if len(points) <= most:
        return list(points)
    edges = [round(index * len(points) / most) for index in range(most + 1)]
    return [
        (
            sum(x for x, _ in points[first:last]) / (last - first),
            sum(y for _, y in points[first:last]) / (last - first),
        )
        for first, last in pairwise(edges)
    ]
