"""What a report says of evaluations."""

from reports.contents import Picture, Table
from tests.reports.reading import only, table


def test_an_evaluation_shows_judged_ages_figures_and_what_else_was_measured(sections, all_kinds):
    blocks = sections["Evaluation of the faces at target ages"]

    row = all_kinds[4].metrics["ages"][0]
    young = [
        *("18", "{judged_mean:.1f} ± {judged_standard_error:.1f}", "{mean_error:.1f}"),
        *("{spread:.1f}", "{gray_hair:.3f} ± {gray_hair_standard_error:.3f}"),
        *("{wrinkles:.3f} ± {wrinkles_standard_error:.3f}", "2"),
    ]
    first, _ = table(blocks, "the judge errs by 6.3 years on average.")
    assert first == [each.format(**row).replace("-", "−") for each in young]
    assert table(blocks, "Figures of quality") == [
        ["Fréchet distance of features", "0.25", "0.01", "–"],
        ["Age rank correlation", "0.938", "–", "–"],
    ]
    assert table(blocks, "Also measured") == [["New figure", "−0.875"]]
    assert isinstance(only(blocks, Picture), Picture)


def test_an_evaluation_of_a_merge_shows_seam_and_likeness(sections):
    blocks = sections["Evaluation of the merged faces"]

    caption = "Of 500 faces that were never merged the seam energy is 1.125 ± 0.031."
    assert table(blocks, caption) == [
        ["100", "–", "0.970 ± 0.004"],
        ["300", "1.250 ± 0.125", "0.750"],
    ]
    assert len([block for block in blocks if isinstance(block, Table)]) == 2  # and the settings
