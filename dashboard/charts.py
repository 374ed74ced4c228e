"""Charts as geometry: the templates draw them as inline SVG, in one viewBox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from jobs.contract import Curves

WIDTH, HEIGHT = 600, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 12, 46
X_TICKS, Y_TICKS = 5, 6  # about so many intervals
DECADE = 10
MIN_SPAN = 1.25  # of a logarithmic axis: its end over its start
NAMES: Mapping[str, str] = {
    "loss": "Training loss",
    "held_out_loss": "Held-out loss",
    "held_out_mae": "Held-out error",
}


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A curve: its name, the points of an SVG polyline and its newest value."""

    name: str
    label: str
    points: str
    newest: str
    summary: str


@dataclass(frozen=True)
class Chart:
    """Curves over training steps, the value's axis logarithmic; `unit` is that of the values."""

    id: str
    title: str
    unit: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def summary(self) -> str:
        """What the chart shows, in words."""
        return " ".join(line.summary for line in self.lines)


def line_chart(
    curves: Curves, id: str = "chart", title: str = "Loss", unit: str = "mean squared error"
) -> Chart | None:
    """The chart of these curves; None while no curve has a point that can be drawn."""
    drawn = {
        name: [(step, value) for step, value in points if value > 0]
        for name, points in curves.items()
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return None
    last = max(step for points in drawn.values() for step, _ in points)
    low, high = _log_range([value for points in drawn.values() for _, value in points])

    def place(step: float, value: float) -> tuple[float, float]:
        share = (log10(value) - log10(low)) / (log10(high) - log10(low))
        x = LEFT + step / last * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    return Chart(
        id=id,
        title=f"{title} over training steps, on a logarithmic scale",
        unit=unit,
        lines=[
            Line(
                name=name,
                label=NAMES.get(name, name.replace("_", " ")),
                points=" ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*each) for each in points)),
                newest=f"{points[-1][1]:.4g}",
                summary=_summary(NAMES.get(name, name), points),
            )
            for name, points in drawn.items()
        ],
        x_ticks=[Tick(place(step, low)[0], f"{step:,}") for step in _even_ticks(last)],
        y_ticks=[Tick(place(0, value)[1], f"{value:g}") for value in _log_ticks(low, high)],
    )


def _log_range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high / low < MIN_SPAN:
        middle = (low * high) ** 0.5
        low, high = middle / MIN_SPAN**0.5, middle * MIN_SPAN**0.5
    return low / 1.03, high * 1.03  # no curve lies on the frame


def _log_ticks(low: float, high: float) -> list[float]:
    """Few round values within the range: within a decade even ones, else those of every decade."""
    if high / low < DECADE:
        interval = _round_interval((high - low) / Y_TICKS)
        return [n * interval for n in range(ceil(low / interval), floor(high / interval) + 1)]
    factors = (1, 2, 5) if high / low < DECADE**2 else (1,)
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    ticks = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def _even_ticks(last: float) -> list[int]:
    return list(range(0, floor(last) + 1, ceil(_round_interval(last / X_TICKS))))


def _round_interval(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least this."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def _summary(label: str, points: Sequence[tuple[float, float]]) -> str:
    (first_step, first), (last_step, last) = points[0], points[-1]
    if len(points) == 1:
        return f"{label}: {last:.3g} after step {last_step:,.0f}."
    return (
        f"{label}: {first:.3g} after step {first_step:,.0f}, {last:.3g} after step "
        f"{last_step:,.0f}; lowest {min(value for _, value in points):.3g}."
    )


BAR_WIDTH, BAR_GAP, BARS_HEIGHT = 22, 4, 60


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram; `x`, `y`, `height` in the viewBox."""

    label: str
    count: int
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """Faces by decade of age."""

    bars: list[Bar]
    width: int
    height: int = BARS_HEIGHT
    bar_width: int = BAR_WIDTH

    @property
    def summary(self) -> str:
        """What the histogram shows, in words."""
        parts = [f"{bar.label}: {bar.count:,}" for bar in self.bars if bar.count]
        return f"Faces by age in years. {', '.join(parts)}."


def age_histogram(counts: Sequence[int]) -> Histogram | None:
    """The histogram of faces by decade; None where no age is known."""
    most = max(counts, default=0)
    if not most:
        return None
    starts = [10 * index for index in range(len(counts))]
    labels = [f"{first}–{after - 1}" for first, after in pairwise(starts)]
    labels.append(f"{starts[-1]} and over")
    bars = []
    for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
        height = BARS_HEIGHT * count / most
        x = index * (BAR_WIDTH + BAR_GAP)
        bars.append(Bar(label, count, x, round(BARS_HEIGHT - height, 1), round(height, 1)))
    return Histogram(bars, len(counts) * (BAR_WIDTH + BAR_GAP) - BAR_GAP)
