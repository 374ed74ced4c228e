"""Charts as SVG."""

import re
import xml.etree.ElementTree as ET

import pytest

from reports.charts import HEIGHT, WIDTH, Axes, Line, line_chart, line_summary, thinned

AXES = Axes("Training step", "Loss <of> & all")


def test_a_chart_is_xml_within_its_frame_and_says_its_axes():
    lines = [Line("Training", [(1, 4.0), (100, 0.5)]), Line("Held out", [(50, 2.0)])]

    chart = ET.fromstring(line_chart(lines, AXES))

    texts = ["".join(each.itertext()) for each in chart.iter() if each.tag.endswith("text")]
    assert {"Training", "Held out", "Training step", "Loss <of> & all"} <= set(texts)
    for path in re.findall(r'd="M([\d.]+) ([\d.]+)', line_chart(lines, AXES)):
        x, y = map(float, path)
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


@pytest.mark.parametrize(
    "points", [[(1, 0.0)], [(1, 5.0)], [(1, 1e-9), (2, 2e-9)], [(0, -3.0), (5, 1e6)]]
)
def test_any_points_can_be_drawn(points):
    ET.fromstring(line_chart([Line("x", points)], AXES))


def test_higher_values_stand_higher():
    svg = line_chart([Line("x", [(0, 1.0), (1, 3.0), (2, 2.0)])], AXES)

    [path] = re.findall(r'd="(M[^"]+)" fill="none" stroke="#1f4e79" stroke-width="2"/>', svg)[:1]
    first, second, third = (float(y) for y in re.findall(r"[\d.]+ ([\d.]+)", path))
    assert second < third < first


def test_a_line_is_said_in_words():
    assert line_summary(Line("MAE", [(0, 9.0), (1, 4.0), (2, 5.0)])) == (
        "MAE: from 9 to 5, lowest 4"
    )


def test_long_curves_are_thinned_by_means():
    points = [(float(x), float(x % 2)) for x in range(1000)]

    thin = thinned(points, 100)

    assert len(thin) == 100
    assert all(y == 0.5 for _, y in thin)
    assert thinned(points[:3], 100) == points[:3]
