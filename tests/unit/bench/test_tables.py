"""The benchmark's tables, from made-up findings whose ratios are plain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.page import page
from bench.pieces import finished, keep, read_piece
from bench.tables import (
    profile_findings,
    profile_rows,
    quality_row,
    sampling_findings,
    sampling_rows,
    speed_rows,
)
from bench.work import OURS, Work


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def distance(value: float, floor: float) -> dict[str, object]:
    return {"name": "FD", "value": interval(value), "floor": interval(floor)}


def scores(value: float, floor: float, samples: int = 100) -> dict[str, object]:
    control = {"factor": "smiling", "mean": interval(0.9), "real_mean": interval(0.95)}
    return {
        "settings": {},
        "pictures": {
            "samples": samples,
            "frechet": distance(value, floor),
            "kernel": distance(0.25, -0.001),
            "control": [control],
            "copying": {"share": interval(0.02)},
        },
        "reconstruction": {"psnr": interval(29.5), "frechet": distance(30.0, 20.0)},
    }


def drawn(value: float, speed: float, evaluations: int) -> dict[str, object]:
    return {
        "setting": {"sampler": "dpm++", "num_steps": evaluations, "guidance": 1.5},
        "evaluations": evaluations,
        "samples": 100,
        "pictures_per_second": speed,
        "frechet": distance(value, 20.0),
        "kernel": distance(0.1, 0.0),
        "met": [["smiling", 0.9]],
    }


SAMPLERS = {
    "draft": drawn(66.0, 200.0, 4),
    "balanced": drawn(54.0, 90.0, 8),
    "best": drawn(50.0, 40.0, 20),
    "ancestral": drawn(60.0, 0.75, 1000),
}
PARTS = {
    "training": {
        "matrix peak fp32, GFLOP/s": 100.0,
        "matrix peak bf16, GFLOP/s": 1000.0,
        "stage 1 images/s": 60.0,
        "stage 1 GFLOP/image": 5.0,
    },
    "classic": {"classic stage 1 images/s": 4.0},
    "steps": {
        "profile": {
            "calls": 4,
            "seconds": 2.0,
            "operations": [
                {"name": "aten::add_", "seconds": 0.1, "times": 400},
                {"name": "aten::mkldnn_convolution", "seconds": 0.8, "times": 80},
                {"name": "aten::bmm", "seconds": 0.2, "times": 40},
                {"name": "aten::copy_", "seconds": 0.06, "times": 200},
                {"name": "aten::div", "seconds": 0.04, "times": 120},
            ],
        }
    },
}


def test_a_row_of_quality() -> None:
    assert quality_row("x", 20.0, scores(50.0, 20.0)) == (
        "x",
        "20",
        "100",
        "50.0 / 20.0 = 2.50",
        "0.2500 (-0.0010)",
        "smiling 90.0% (95.0%)",
        "2.0%",
        "29.50 dB",
        "30.0 / 20.0 = 1.50",
    )
    assert set(quality_row("x", 20.0, None)[2:]) == {"-"}


def test_what_the_samplers_are_measured_for_can_be_read() -> None:
    """90 over 0.75 pictures a second is 120; 54 over 60 is 0.90; 66 over 50 is 1.32."""
    balanced, draft = sampling_findings(SAMPLERS)
    assert "120 times as many" in balanced
    assert "at 0.90 times" in balanced
    assert "evaluates the network 4 times" in draft
    assert "1.32 times the distance of `best`" in draft
    assert [row[0] for row in sampling_rows(SAMPLERS)] == [*SAMPLERS]
    assert sampling_findings({"best": SAMPLERS["best"]}) == []


def test_speed_over_classic_and_share_of_the_peak() -> None:
    """60 pictures of 5 GFLOP are 300 of 1,000 GFLOP/s; 60 over 4 is 15."""
    rows = {name: value for name, value, _ in speed_rows(PARTS)}
    assert rows["stage 1, share of the bf16 matrix peak"] == "30%"
    assert rows["stage 1 over classic in fp32, times"] == "15.0"
    alone = [row[0] for row in speed_rows({"classic": PARTS["classic"]})]
    assert alone == ["classic stage 1 images/s"]


def test_where_a_step_goes_adds_up_to_the_step() -> None:
    rows = profile_rows(PARTS, top=2)
    assert [row[0] for row in rows[:2]] == ["`aten::mkldnn_convolution`", "`aten::bmm`"]
    assert rows[0][1:] == ("40.0%", "200.0", "20")
    assert rows[2] == ("3 other operations", "10.0%", "50.0", "180")
    assert rows[3][1] == "40.0%"  # 2.0 s less the 1.2 s in operations
    assert sum(float(row[1].rstrip("%")) for row in rows) == pytest.approx(100.0)
    (told,) = profile_findings(PARTS)
    assert "products are 50% of a step" in told
    assert "themselves about 60%" in told  # 30 % of the peak over the whole step


def test_a_piece_is_found_where_the_same_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "piece.json"
    assert finished(path, {"n": 3}) is None
    keep(path, {"n": 3, "real": ("a", "b")}, {"rows": [1]}, command="python -m x", seconds=1.234)
    found = finished(path, {"real": ("a", "b"), "n": 3})
    assert found is not None
    assert (found["rows"], found["seconds"]) == ([1], 1.23)
    assert finished(path, {"n": 4, "real": ("a", "b")}) is None
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert read_piece(path) is None, "half a file is none"


def test_the_page_is_made_of_the_files_alone(tmp_path: Path) -> None:
    work = Work(tmp_path / "work")

    def put(path: Path, found: dict[str, object], words: str, seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep(path, {}, found, command=f"python -m {words}", seconds=seconds)
        os.utime(path, (seconds, seconds))  # in that order

    put(work.fitted(20), {}, f"latentbloom fit {tmp_path}/faces --out {work.run(OURS, 20)}", 1190)
    put(work.scores(OURS, 20), scores(50.0, 20.0), "bench.score RUN", 1300)
    put(work.scores(OURS, 20, whole=True), scores(40.0, 18.0, 1317), "bench.score RUN", 1310)
    put(work.scores("other", 20), scores(90.0, 20.0), "bench.score OTHER", 1320)
    put(work.sampling(20), {"rows": SAMPLERS}, "bench.sampling RUN", 1330)
    put(work.speed(20), {"parts": PARTS}, "bench.speed RUN", 1340)
    text = page(work, f"{tmp_path}/faces", [20.0, 60.0], ["other"])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "| latentbloom | 20 | 100 | 50.0 / 20.0 = 2.50 |" in text
    assert "| other | 20 | 100 | 90.0 / 20.0 = 4.50 |" in text
    assert "| other | 60 | - |" in text
    assert "| latentbloom, as many samples as val | 20 | 1,317 |" in text
    assert len({row.count("|") for row in rows if "latentbloom" in row or "other |" in row}) == 1
    assert "120 times as many" in text
    assert "`aten::mkldnn_convolution` | 40.0% |" in text
    listed = text.split("```")[1].strip().splitlines()
    assert listed[0] == (
        "python -m latentbloom fit faces --out WORK/latentbloom-20"
        "    # 1190 s: latentbloom-20.fit.json"
    )
    assert len(listed) == 6
    assert str(tmp_path) not in text
