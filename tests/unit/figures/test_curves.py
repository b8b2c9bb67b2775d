"""Curves: the numbers of metrics.jsonl, and pictures made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentbloom.figures.from_run_files.curves import loss_curves
from latentbloom.figures.from_run_files.series import smoothed, stage_curves
from latentbloom.pictures.images import read_picture
from latentbloom.report.svg import linear_ticks, log_ticks, panel, short


def record(images: int, kind: str = "train", **values: float | str | None) -> dict[str, object]:
    return {"kind": kind, "stage": "vae_gan", "images": images, "epoch": images / 50, **values}


METRICS = [
    record(0, "phase", name="reconstruction"),
    record(100, kl=2.0, reconstruction=0.5, odd_one=1.0),
    record(200, kl=None, reconstruction=0.4),
    record(250, "phase", name="adversarial"),
    record(300, kl=1.0, reconstruction=0.3, adversarial=-0.1),
    record(300, "val", psnr=27.0, reconstruction=0.35),
    {"kind": "train", "stage": "diffusion", "images": 10, "diffusion": 1.0},
]


def test_records_are_sorted_into_series_of_their_stage() -> None:
    curves = stage_curves(METRICS, "vae_gan")
    by_name = {one.name: one for one in curves.series}
    assert list(by_name) == ["reconstruction", "kl", "adversarial", "psnr", "odd_one"]
    assert by_name["kl"].x.tolist() == [100, 300], "what is no number is left out"
    assert by_name["reconstruction"].val_y.tolist() == [0.35]
    assert by_name["psnr"].val_x.tolist() == [300]
    assert curves.phases == (("reconstruction", 0.0), ("adversarial", 250.0))
    assert curves.end == 300
    assert curves.epochs_per_image == pytest.approx(1 / 50)


def test_a_place_written_twice_counts_once() -> None:
    curves = stage_curves([record(1, kl=5.0), record(2, kl=4.0), record(1, kl=3.0)], "vae_gan")
    assert curves.series[0].y.tolist() == [3.0, 4.0]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.integers(0, 60))
def test_smoothing_stays_within_the_values_and_never_crosses_a_phase(
    values: list[float], bound: int
) -> None:
    y = np.array(values)
    x = np.arange(len(y), dtype=float)
    out = smoothed(x, y, [bound], share=0.1)
    for part in (slice(0, bound), slice(bound, None)):
        if len(y[part]):
            assert out[part].min() >= y[part].min() - 1e-9
            assert out[part].max() <= y[part].max() + 1e-9


def test_a_constant_stays_constant_up_to_both_ends() -> None:
    assert smoothed(np.arange(50.0), np.full(50, 3.0)) == pytest.approx(3.0)


def test_terms_that_warm_up_carry_the_share_of_their_weight() -> None:
    metrics = [
        record(0, "phase", name="reconstruction"),
        record(10, centre=2.0, class_ramp=0.0, reconstruction=0.5),
        record(20, "phase", name="classes and centres"),
        record(30, centre=1.0, class_ramp=0.5, reconstruction=0.4),
    ]
    curves = stage_curves(metrics, "vae_gan")
    by_name = {one.name: one for one in curves.series}
    assert list(by_name) == ["reconstruction", "centre"], "a share is no loss of its own"
    assert by_name["centre"].ramp.tolist() == [[10, 0.0], [30, 0.5]]
    assert not len(by_name["reconstruction"].ramp)
    assert curves.phases[1] == ("classes and centres", 20.0)


def test_wide_positive_losses_get_a_logarithmic_axis() -> None:
    falling = [record(k, kl=1000.0 / k**2, lr=1.0 / k**3) for k in range(1, 60)]
    by_name = {one.name: one for one in stage_curves(falling, "vae_gan").series}
    assert by_name["kl"].log
    assert not by_name["lr"].log


def test_the_figure_is_drawn_and_an_empty_stage_is_refused(tmp_path: Path) -> None:
    pixels = read_picture(loss_curves(METRICS, "vae_gan", tmp_path / "a.png"))
    assert min(pixels.shape[:2]) > 300
    assert pixels.std() > 1
    with pytest.raises(ValueError, match="no losses of the stage 'diffusion'"):
        loss_curves(METRICS[:-1], "diffusion", tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


def test_svg_points_lie_inside_and_fall_when_the_loss_falls() -> None:
    curves = stage_curves(METRICS, "vae_gan")
    markup = panel(curves.series[0], curves)
    points = markup.split('class="raw" points="')[1].split('"')[0].split()
    places = [tuple(float(c) for c in point.split(",")) for point in points]
    heights = [y for _, y in places]
    assert heights == sorted(heights), "y grows downwards in SVG"
    assert all(46 <= x <= 330 and 10 <= y <= 176 for x, y in places)
    assert 'role="img" aria-label="reconstruction over images seen' in markup


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    ticks = linear_ticks(low, low + span)
    assert 1 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_log_ticks_and_short_numbers() -> None:
    assert log_ticks(0.09, 11) == pytest.approx([0.1, 0.2, 0.5, 1, 2, 5, 10])
    assert [short(n) for n in (950, 1500, 2_000_000)] == ["950", "1.5k", "2M"]
