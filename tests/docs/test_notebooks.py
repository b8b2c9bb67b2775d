"""The notebooks of examples/ run from top to bottom in a kernel, on small rendered pictures."""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.workshop import ROOT, TINY_RUN

# Of nbclient, jupyter_client and zmq, and not of ours.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SMALL: dict[str, Any] = {**TINY_RUN, "data.size": 32, "sampling.num_steps": 2}
QUICK = """
from latentbloom.fitting import finish

finish._pictures = lambda *_, **__: True  # the notebook draws what it shows
finish._score = lambda *_: None
"""


def run(name: str, folder: Path, parameters: str) -> list[Any]:
    """Execute a notebook with other parameters; returns its code cells."""
    notebook: Any = nbformat.read(ROOT / "examples" / name, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source += f"\n{parameters}\n{QUICK}"
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells: list[Any], kind: str) -> list[str]:
    """What cells show of a kind, such as "image/png"."""
    found = []
    for cell in cells:
        for output in cell.outputs:
            if "data" in output and kind in output.data:
                found.append(output.data[kind])
    return found


def printed(cells: list[Any]) -> str:
    return "".join(o.text for cell in cells for o in cell.outputs if o.output_type == "stream")


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("CELEBA_ROOT", raising=False)


def test_quickstart(tmp_path: Path) -> None:
    cells = run(
        "quickstart.ipynb",
        tmp_path,
        f"MINUTES, OVERRIDES, SOURCE = None, {SMALL!r}, 'synthetic-flowers:72'",
    )
    pages = shown(cells, "text/html")
    assert "synthetic-flowers" in pages[0]
    assert "sunflower" in pages[0]
    bars = [page for page in pages if "<progress" in page]
    assert [page.count("100%") for page in bars] == [1, 1]  # one a stage, in its last state
    assert "Stage 1" in bars[0]
    pictures = shown(cells, "image/png")
    assert len(pictures) == 2
    assert base64.b64decode(pictures[0]).startswith(b"\x89PNG")
    figures = next(page for page in pages if "<figure>" in page)
    assert "data:image/gif" in figures
    assert figures.count("data:image/png") >= 2
    said = printed(cells)
    assert "There is no" in said  # the scores, which are left out here
    assert "is finished: nothing to do." in said
    assert "\x1b" not in said
    assert "ipywidgets" not in said
    assert (tmp_path / "samples" / "grid.png").is_file()


def test_celeba_smiling(tmp_path: Path) -> None:
    cells = run(
        "celeba_smiling.ipynb", tmp_path, f"MINUTES, OVERRIDES, STAND_INS = None, {SMALL!r}, 120"
    )
    pages = shown(cells, "text/html")
    assert "Audit of celeba" in pages[0]
    assert len(shown(cells, "image/png")) == 2
    drawn = [page for page in pages if "<figure>" in page]
    assert len(drawn) == 2
    assert "reconstructions" in drawn[1]
    assert (tmp_path / "stand-in" / "celeba" / "img_align_celeba" / "000120.jpg").is_file()


def test_an_interrupted_cell_saves_and_the_kernel_goes_on(tmp_path: Path) -> None:
    long = {**SMALL, "train.vae_gan_images": 10_000_000, "train.log_seconds": 0.1}
    fit = (
        "import latentbloom\n" + QUICK + f"\nmodel = latentbloom.fit('synthetic-flowers:72', "
        f"out='run', overrides={long!r})\nprint('returned', model)"
    )
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(fit)])
    notebook.cells.append(nbformat.v4.new_code_cell("print('alive', 1 + 1)"))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )

    def interrupt() -> None:
        metrics = tmp_path / "run" / "metrics.jsonl"
        end = time.monotonic() + 200
        while time.monotonic() < end and not (
            metrics.is_file() and '"train"' in metrics.read_text()
        ):
            time.sleep(0.2)
        manager: Any = client.km
        os.kill(manager.provisioner.pid, signal.SIGINT)  # as the stop button does

    thread = threading.Thread(target=interrupt)
    thread.start()
    client.execute()
    thread.join()
    said = printed(notebook.cells)
    assert "Stopped and saved in run." in said
    assert "returned None" in said
    assert "alive 2" in said
    assert (tmp_path / "run" / "vae_gan_last").exists()


def test_no_outputs_are_committed() -> None:
    for path in (ROOT / "examples").glob("*.ipynb"):
        notebook: Any = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            assert not cell.get("outputs"), f"{path.name} holds outputs: clear them"
            assert cell.get("execution_count") is None
