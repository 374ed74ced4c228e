"""Losses over a training, few points however long it runs."""

from collections.abc import Mapping
from typing import Any

MAX_POINTS = 200


class Curve:
    """Means of a value over windows of steps; the windows grow so that the points stay few.

    A point is the mean of `window` values. When there are MAX_POINTS, neighbours are merged and
    the window doubles: the whole training stays visible, evenly.

    Attributes:
        points: [step, mean], where step is the number of steps done at the window's end.
    """

    def __init__(self) -> None:
        """Begin without points."""
        self.points: list[list[float]] = []
        self._window, self._count, self._sum = 1, 0, 0.0

    def add(self, step: int, value: float) -> None:
        """Take the value of the step after which `step` steps are done."""
        self._sum += value
        self._count += 1
        if self._count < self._window:
            return
        self.points.append([step, self._sum / self._count])
        self._count, self._sum = 0, 0.0
        if len(self.points) == MAX_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [[b[0], (a[1] + b[1]) / 2] for a, b in pairs]
            self._window *= 2

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "points": self.points,
            "window": self._window,
            "count": self._count,
            "sum": self._sum,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Curve":
        """What `to_dict` gave."""
        curve = cls()
        curve.points = [list(point) for point in values["points"]]
        curve._window, curve._count = values["window"], values["count"]
        curve._sum = values["sum"]
        return curve
