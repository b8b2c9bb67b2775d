"""The metrics file, whatever happens to the run, and what a stage shows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from latentbloom.fitting.stage_progress import StageProgress, format_seconds
from latentbloom.runs.metrics import MetricsLog, read_metrics


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "metrics.jsonl"


class TestMetrics:
    def test_lines_return_in_order(self, path: Path) -> None:
        log = MetricsLog(path)
        log.write("train", "vae_gan", {"images": 32, "reconstruction": 0.5})
        log.write("phase", "vae_gan", {"images": 32, "name": "kl"})
        assert read_metrics(path) == [
            {"kind": "train", "stage": "vae_gan", "images": 32, "reconstruction": 0.5},
            {"kind": "phase", "stage": "vae_gan", "images": 32, "name": "kl"},
        ]

    def test_a_number_that_is_not_finite_is_still_json(self, path: Path) -> None:
        MetricsLog(path).write("train", "s", {"a": float("nan"), "b": float("-inf"), "c": 1.5})
        assert "NaN" not in path.read_text()
        assert read_metrics(path) == [
            {"kind": "train", "stage": "s", "a": None, "b": None, "c": 1.5}
        ]

    def test_no_file_is_no_lines(self, path: Path) -> None:
        assert read_metrics(path) == []

    def test_other_processes_write_nothing(self, path: Path) -> None:
        log = MetricsLog(path, enabled=False)
        log.write("train", "s", {"images": 1})
        log.truncate_after(0, "s")
        assert not path.exists()

    @given(cut=st.integers(min_value=0, max_value=200))
    def test_a_kill_while_writing_costs_one_line(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
        log = MetricsLog(path)
        for images in range(3):
            log.write("train", "s", {"images": images, "word": "Größe"})
        content = path.read_bytes()
        kept = content[: max(0, len(content) - cut)]
        whole = kept.count(b"\n")
        path.write_bytes(kept)
        # Only the line end is missing: that line can be read, but not be written after.
        assert [r["images"] for r in read_metrics(path)][:whole] == list(range(whole))
        MetricsLog(path).write("train", "s", {"images": 99})
        assert [r["images"] for r in read_metrics(path)] == [*range(whole), 99]

    def test_a_resumed_run_repeats_nothing(self, path: Path) -> None:
        """Killed at 64 images, resumed from a checkpoint at 32, written again from there."""

        def go(log: MetricsLog, start: int, end: int) -> None:
            for images in range(start, end + 1, 32):
                if images == 32:
                    log.write("phase", "vae_gan", {"images": images, "name": "kl"})
                log.write("train", "vae_gan", {"images": images, "kl": images / 7})

        whole = MetricsLog(path.with_name("whole.jsonl"))
        go(whole, 0, 128)
        go(MetricsLog(path), 0, 64)
        MetricsLog(path).write("train", "diffusion", {"images": 500})
        with path.open("a") as file:
            file.write('{"kind": "tr')

        log = MetricsLog(path)
        log.truncate_after(32, "vae_gan")
        go(log, 32, 128)
        lines = read_metrics(path)
        assert [r for r in lines if r["stage"] == "vae_gan"] == read_metrics(whole.path)
        assert [r["images"] for r in lines if r["stage"] == "diffusion"] == [500]
        assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []

    def test_a_line_that_is_no_object_is_left_out(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b'3\n{"kind": "val"}\n\xff\n\n[]\n{"kind": "train"}\n')
        assert read_metrics(path) == [{"kind": "val"}, {"kind": "train"}]


def feed(bar: StageProgress) -> None:
    bar.update(0.25, 12_800, 139.4, {"reconstruction": 0.08123, "discriminator_accuracy": 0.5}, 192)


class TestProgress:
    def test_plain_lines_now_and_then(self) -> None:
        out, now = io.StringIO(), 100.0
        with StageProgress("Autoencoder", Console(file=out), clock=lambda: now) as bar:
            for _ in range(50):  # 25 seconds
                feed(bar)
                now += 0.5
            bar.say("the adversarial term [now] begins")
            bar.update(1.0, 51_200, 140.0, {"kl": float("nan")}, None)
        assert out.getvalue().splitlines() == [
            *["Autoencoder   25%  12,800 images  139 images/s  reconstruction 0.0812  "
              "discriminator accuracy 0.5  3:12 left"] * 2,
            "Autoencoder: the adversarial term [now] begins",
            "Autoencoder  100%  51,200 images  140 images/s  kl nan",
        ]  # fmt: skip

    def test_a_bar_in_a_terminal(self) -> None:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=90, color_system=None)
        with StageProgress("Autoencoder", console) as bar:
            feed(bar)
            bar.say("half of it")
        shown = out.getvalue()
        last = shown[shown.rindex("Autoencoder ") :].splitlines()
        assert "━" in last[0]
        assert last[0].rstrip().endswith("25% 12,800 images 139 images/s 3:12 left")
        assert last[1].rstrip() == "  reconstruction 0.0812  discriminator accuracy 0.5"
        assert "Autoencoder: half of it" in shown

    @pytest.mark.parametrize("terminal", [True, False])
    def test_other_processes_show_nothing(self, terminal: bool) -> None:
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal)
        with StageProgress("Autoencoder", console, enabled=False) as bar:
            feed(bar)
            bar.say("hello")
        assert out.getvalue() == ""

    def test_an_error_leaves_the_terminal_as_it_was(self) -> None:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True)
        with pytest.raises(ZeroDivisionError), StageProgress("Autoencoder", console) as bar:
            bar.update(1 / 0, 0, 0, {}, None)
        assert out.getvalue().endswith("\x1b[?25h")  # the cursor is shown again

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0:00"), (-3, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")],
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert format_seconds(seconds) == text


def test_each_line_is_json(path: Path) -> None:
    log = MetricsLog(path)
    for value in (1, 0.1 + 0.2, "a\nb", None):
        log.write("val", "s", {"value": value})
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [
        1,
        0.1 + 0.2,
        "a\nb",
        None,
    ]
