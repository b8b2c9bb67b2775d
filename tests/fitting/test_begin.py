"""Beginning a run: what is written when, and what a refusal or an interruption leaves behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from rich.console import Console

import latentbloom
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.fitting.opening import open_run
from latentbloom.fitting.pipeline import continue_training
from latentbloom.runs.lock import RunLock
from tiny_run import TINY, make_pictures

QUIET = Console(quiet=True)
BEGUN = ("audit.json", "pictures.json", "config.json", "plan.json")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fit` ends where training would begin."""
    monkeypatch.setattr("latentbloom.fitting.whole_run.Fitting.run", lambda *_, **__: None)


def begin(pictures: Path, run: Path, **overrides: object) -> None:
    given = {**TINY, **{name.replace("__", "."): value for name, value in overrides.items()}}
    latentbloom.fit(pictures, out=run, overrides=given, console=QUIET)


@pytest.mark.usefixtures("untrained")
def test_a_refused_plan_leaves_nothing_and_the_folder_can_be_used(
    tmp_path: Path, pictures: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="minutes are too few"):
        begin(pictures, run, train__minutes=0.01, train__vae_gan_images=None)
    assert not run.exists()
    begin(pictures, run)
    assert sorted(path.name for path in run.iterdir()) == sorted([*BEGUN, "names.json"])


@pytest.mark.usefixtures("untrained")
def test_one_at_a_time(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    begin(pictures, run)
    with RunLock(run) as lock:
        lock.take()
        with pytest.raises(RunFolderError, match=rf"is being trained by process {os.getpid()} on"):
            begin(pictures, run)
        with pytest.raises(RunFolderError, match="is being trained by process"):
            continue_training(run, epochs=2, console=QUIET)
    begin(pictures, run)  # which resumes


@pytest.mark.usefixtures("untrained")
def test_a_folder_that_another_one_began_meanwhile_is_left_to_it(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found no run there; the second comes to write when the first has written."""
    run, plan = tmp_path / "run", open_run.plan_run

    def slowly(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(open_run, "plan_run", plan)
        begin(pictures, run, train__seed=1)
        return plan(*args, **options)

    monkeypatch.setattr(open_run, "plan_run", slowly)
    with pytest.raises(RunFolderError, match="Another process has begun a run in"):
        begin(pictures, run)
    assert json.loads((run / "plan.json").read_text())["request"]["train"]["seed"] == 1


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("stop_at", BEGUN)
def test_a_beginning_that_was_killed_can_be_repeated(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, stop_at: str
) -> None:
    """Killed while a file is written: what stands there are the files before, and half a file."""
    import latentbloom.storage.files

    class KilledError(BaseException):
        pass

    run = tmp_path / "run"
    rename: Callable[[Path, Path], None] = latentbloom.storage.files.rename
    unlink = Path.unlink

    def killed(old: Path, new: Path) -> None:
        if new.name == stop_at:
            raise KilledError
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr("latentbloom.storage.files.rename", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process tidies nothing
        with pytest.raises(KilledError):
            begin(pictures, run)
    assert Path.unlink is unlink
    assert [path.name for path in run.iterdir() if path.name.endswith(f".new.{stop_at}")]
    begin(pictures, run)
    assert set(BEGUN) <= {path.name for path in run.iterdir()}


def test_files_of_others_are_still_refused(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "audit.json").write_text('{"format": "of another program"}')
    with pytest.raises(RunFolderError, match="holds other files and no run of latentbloom"):
        begin(pictures, tmp_path)
    (tmp_path / "audit.json").write_text('{"format": "latentbloom-audit"}')
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunFolderError, match="holds other files and no run of latentbloom"):
        begin(pictures, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


class TestDryRun:
    @pytest.mark.usefixtures("untrained")
    def test_of_one_process_among_several_it_waits_for_nobody(
        self, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def alone(*_: object, **__: object) -> NoReturn:
            pytest.fail("a dry run connects to the other processes")

        begin(pictures, tmp_path / "begun")
        monkeypatch.setattr("accelerate.PartialState", alone)
        monkeypatch.setenv("WORLD_SIZE", "2")
        for rank in ("0", "1"):
            monkeypatch.setenv("RANK", rank)
            for run in ("begun", "new"):
                said = io.StringIO()
                console = Console(file=said, width=200)
                found = latentbloom.fit(
                    pictures, out=tmp_path / run, overrides=TINY, dry_run=True, console=console
                )
                assert found is None
                assert bool(said.getvalue()) == (rank == "0")
        assert not (tmp_path / "new").exists()

    @pytest.mark.slow
    def test_two_processes_end(self, tmp_path: Path, pictures: Path) -> None:
        run = tmp_path / "run"
        words = [w for name, value in TINY.items() for w in (f"--{name}", json.dumps(value))]
        words = [word.strip('"').replace("null", "none") for word in words]
        command = ["-m", "latentbloom", "fit", str(pictures), "--out", str(run), *words]
        start = "import latentbloom.fitting.whole_run as s; s.Fitting.run = lambda *_, **__: None"
        program = f"{start}; from latentbloom.cli.main import main; main({command[2:]!r})"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        several = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
        done = subprocess.run(
            [sys.executable, *several, *command, "--dry-run"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("holds a run with these settings") == 1
