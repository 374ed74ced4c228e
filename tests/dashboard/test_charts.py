"""Charts and figures, apart from any page."""

import pytest

from dashboard.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, age_histogram, line_chart
from dashboard.figures import decimals, picture_label, read_metrics


def places(line):
    return [tuple(float(each) for each in pair.split(",")) for pair in line.points.split()]


def test_a_curve_lies_within_its_frame_and_falls_as_its_logarithm():
    chart = line_chart({"loss": [(0, 1.0), (50, 0.1), (100, 0.01)]})

    (first, middle, last) = places(chart.lines[0])
    assert (first[0], last[0]) == (LEFT, WIDTH - RIGHT)
    assert middle[0] == (first[0] + last[0]) / 2
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.1)
    assert TOP <= first[1] < middle[1] < last[1] <= HEIGHT - BOTTOM
    assert [tick.text for tick in chart.y_ticks] == ["0.01", "0.1", "1"]
    assert [tick.text for tick in chart.x_ticks] == ["0", "20", "40", "60", "80", "100"]
    assert chart.y_ticks[1].at == pytest.approx(middle[1], abs=0.1)


@pytest.mark.parametrize("low", [1e-6, 0.037, 0.04, 1.0, 350.0])
@pytest.mark.parametrize("ratio", [1.0, 1.01, 1.4, 3.0, 100.0])
@pytest.mark.parametrize("last", [1, 7, 950, 1_234_567])
def test_every_range_has_few_round_ticks_inside(low, ratio, last):
    chart = line_chart({"loss": [(1, low * ratio), (last, low)]})

    assert 2 <= len(chart.y_ticks) <= 10
    assert all(TOP <= tick.at <= HEIGHT - BOTTOM for tick in chart.y_ticks)
    assert 1 <= len(chart.x_ticks) <= 7
    assert all(LEFT <= tick.at <= WIDTH - RIGHT for tick in chart.x_ticks)


def test_what_has_no_logarithm_is_left_out_and_nothing_is_no_chart():
    assert line_chart({}) is None
    assert line_chart({"loss": []}) is None
    assert line_chart({"loss": [(1, 0.0), (2, -1.0)]}) is None
    chart = line_chart({"loss": [(1, 0.5), (2, 0.0)], "new_curve": [(2, 0.25)]})
    assert [(line.label, line.newest) for line in chart.lines] == [
        ("Training loss", "0.5"),
        ("new curve", "0.25"),
    ]
    assert "0.5 after step 1." in chart.summary


def test_bars_are_as_high_as_their_share_of_the_largest():
    histogram = age_histogram([0, 5, 10, 0, 0, 0, 0, 0, 0, 1])

    assert [bar.height for bar in histogram.bars[:3]] == [0, 30, 60]
    assert (
        histogram.summary
        == "Faces by age in years. 10\N{EN DASH}19: 5, 20\N{EN DASH}29: 10, 90 and over: 1."
    )
    assert age_histogram([]) is None
    assert age_histogram([0] * 10) is None


@pytest.mark.parametrize(
    ("error", "digits"), [(0.0412, 3), (0.5, 2), (12, 0), (1e-9, 6), (0, None), (None, None)]
)
def test_a_value_has_two_digits_of_its_error(error, digits):
    assert decimals(error) == digits


def test_metrics_one_level_deeper_are_found_and_unknown_ones_are_shown():
    figure = {"name": "new_figure", "value": 2.5, "standard_error": 0.25, "floor": 1, "n": 7}
    content = {
        "quality": {"figures": [figure], "n": 7},
        "params": {"job": "j"},
        "loss_by_tenth": [0.1] * 10,
        "curves": {"loss": [[1, 0.5]]},
        "spectrum": [1, 2],
    }

    metrics = read_metrics(content)

    (row,) = metrics.figures
    assert (row.label, row.value, row.floor, row.n) == ("New figure", "2.50 ± 0.25", "1.00", "7")
    assert metrics.by_tenth == {"Loss by tenth": [0.1] * 10}
    assert metrics.values == {"N": 7}
    assert picture_label("development.png") == "How its faces developed"
    assert picture_label("mean_face.png") == "Mean face"
