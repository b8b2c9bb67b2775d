"""What people get wrong when they export: a sentence each, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finished_run import make_finished_run
from latentbloom.cli.main import main
from latentbloom.errors import ConfigError
from latentbloom.export import opening


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_finished_run(tmp_path_factory.mktemp("runs") / "mine")


def fails(capsys: pytest.CaptureFixture[str], *words: object, code: int = 1) -> str:
    try:
        found = main([str(word) for word in words])
    except SystemExit as end:
        found = int(end.code or 0)
    assert found == code
    return capsys.readouterr().err


def test_an_unfinished_run(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    begun = Path(shutil.copytree(run, tmp_path / "begun"))
    shutil.rmtree(begun / "conditional_diffusion_final")
    message = fails(capsys, "export", begun, "--to", "onnx", tmp_path / "out")
    assert "begun is not finished, and only a finished run can be exported. Run" in message
    assert not (tmp_path / "out").exists()


def test_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = fails(capsys, "export", tmp_path / "nothing", "--to", "onnx", tmp_path / "out")
    assert "There is no folder" in message


def test_an_existing_folder(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    message = fails(capsys, "export", run, "--to", "onnx", tmp_path / "out")
    assert "out exists and is a folder that is not empty. Nothing was changed." in message
    message = fails(capsys, "export", run, "--to", "onnx", tmp_path / "out" / "mine.txt")
    assert "exists and is a file." in message
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_unknown_target(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    message = fails(capsys, "export", run, "--to", "onxx", tmp_path / "out", code=2)
    assert "'onxx' is no target. Allowed: onnx" in message
    assert "Did you mean onnx?" in message


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = opening.importlib.util.find_spec
    monkeypatch.setattr(
        opening.importlib.util,
        "find_spec",
        lambda name: None if name == "onnxscript" else real(name),
    )
    with pytest.raises(ConfigError) as error:
        opening.need_packages(("onnx", "onnxscript"), "export")
    assert str(error.value) == (
        "This needs onnxscript, which is not installed. Install the extra: "
        'pip install "latentbloom[export]"'
    )


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fill(place: Path) -> None:
        (place / "half").write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        opening.fill_new_folder(tmp_path / "out", fill)
    assert list(tmp_path.iterdir()) == []
