from pathlib import Path

import pytest

from benchmarks.documents import read_block, table, write_block


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n<!-- y -->\n<!-- /y -->\n")

    write_block(path, "x", table(["a", "b"], [["1", "2"]]))

    block = "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert read_block(path, "x") == block
    assert path.read_text() == (
        f"before\n<!-- x -->\n{block}<!-- /x -->\nafter\n<!-- y -->\n<!-- /y -->\n"
    )


def test_a_document_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("<!-- x -->\nno end\n")

    with pytest.raises(ValueError, match="has no <!-- x -->"):
        write_block(path, "x", "new")
    assert path.read_text() == "<!-- x -->\nno end\n"
