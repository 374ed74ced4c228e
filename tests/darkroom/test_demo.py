"""The demonstration, with small jobs in place of its large ones."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from PIL import Image

from darkroom import cpu, demo
from jobs.contract import JobStatus, JobView, Progress

DEMO = """
import sys
from pathlib import Path
from darkroom import demo
from jobs.settings import WebSettings

demo.run(
    WebSettings(port=0), Path("data"), Path("out"), keeps_serving=len(sys.argv) > 1,
    request={"jobs": [
        {"label": "faces", "job": {
            "kind": "sample", "params": {"count": 2, "num_inference_steps": 2, "columns": 2},
        }},
        {"label": "again", "job": {
            "kind": "sample", "after": ["faces"],
            "params": {"count": 2, "num_inference_steps": 2, "columns": 2},
        }},
    ]},
)
"""


def start_demo(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", "-c", DEMO, *arguments],
        cwd=folder,
        env={**os.environ, "DARKROOM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_leaves_the_pictures_and_no_process(tmp_path: Path) -> None:
    with start_demo(tmp_path) as process:
        output, _ = process.communicate(timeout=120)

    assert process.returncode == 0, output
    assert "The dashboard: http://127.0.0.1:" in output
    assert output.rstrip().endswith("All that was started has ended.")
    with Image.open(tmp_path / "out" / "collage.png") as collage:
        assert collage.size == (96, 48)
        assert collage.mode == "L"
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert names == ["000.png", "001.png"]
    assert (tmp_path / "out" / "images.npy").is_file()
    assert (tmp_path / "out" / "sample-job.json").is_file()
    assert "[2/2]" in output


def test_files_are_named_for_what_they_show() -> None:
    kinds = {"a": "sample", "b": "merge", "c": "evaluate", "d": "guided_sample", "e": "report"}
    jobs = [
        JobView(
            id=job_id,
            kind=kind,
            name=None,
            submitter="ada",
            priority=0,
            status=JobStatus.SUCCEEDED,
            status_seq=1,
            waiting_reason=None,
            params={"job": "b"} if kind == "evaluate" else {},
            progress=Progress(done=1, total=1, unit="percent"),
            error=None,
            retry_of=None,
            created_at=datetime.now(UTC),
            started_at=None,
            finished_at=None,
        )
        for job_id, kind in kinds.items()
    ]

    names = demo.names_of(jobs)

    assert names["a"]("images/000.png") == "images/000.png"
    assert names["b"]("collage.png") == "merge-collage.png"
    assert names["c"]("metrics.json") == "merge-metrics.json"
    assert names["d"]("figure.png") == "guided-figure.png"
    assert names["e"]("report.pdf") == "report.pdf"
    assert (names["a"]("job.json"), names["e"]("job.json")) == (
        "sample-job.json",
        "report-job.json",
    )


def test_in_a_terminal_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    with start_demo(tmp_path, "keep serving") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Serving at"):
                break
        assert lines[-1].startswith("Serving at"), "".join(lines)
        tree = psutil.Process(process.pid).children(recursive=True)
        assert len(tree) >= 6

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0
    assert psutil.wait_procs(tree, timeout=1)[1] == []


def test_the_expected_time_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu sse2 avx2 avx512f\n")
    assert not cpu.has_bfloat16(cpuinfo)
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx512_bf16 avx2\n")
    assert cpu.has_bfloat16(cpuinfo)
    assert not cpu.has_bfloat16(tmp_path / "absent")
    monkeypatch.setattr(cpu, "core_count", lambda: 2)
    monkeypatch.setattr(cpu, "has_bfloat16", lambda: True)
    with_bfloat16 = demo.expected_time()
    monkeypatch.setattr(cpu, "has_bfloat16", lambda: False)
    without = demo.expected_time()

    assert "in 1000 steps: at most" in with_bfloat16
    assert "in 250 steps in place of 1000" in without
    assert "no bfloat16 instructions" in without
    assert "on 2 idle cores" in with_bfloat16
    assert "on 2 idle cores" in without
