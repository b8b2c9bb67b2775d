"""hf:user/name, with a loader in place of the Hub."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import numpy as np
import pytest

from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from layout_files import COUNT, data_set, kind
from picture_files import noise


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Names and configurations that were asked for."""
    asked: list[tuple[str, str | None]] = []

    def load(name: str, config: str | None = None) -> datasets.DatasetDict:
        asked.append((name, config))
        if name == "no/such":
            raise datasets.exceptions.DatasetNotFoundError("Dataset 'no/such' doesn't exist")
        return datasets.DatasetDict({"train": data_set(0, 18), "validation": data_set(18)})

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_a_data_set_of_the_hub(loaded: list[tuple[str, str | None]]) -> None:
    source = open_source("hf:user/pets:small")

    assert loaded == [("user/pets", "small")]
    assert source.layout.startswith("the data set user/pets of the Hugging Face Hub, because")
    assert len(source.entries) == COUNT
    for k, entry in enumerate(source.entries):
        assert entry.name == (f"train/{k}.png" if k < 18 else f"validation/{k - 18}.png")
        assert source.spec.factors[0].word(entry.labels[0]) == kind(k)
        assert np.array_equal(source.read(entry), noise(k, height=16, width=16))
    open_source("hf:user/pets")
    assert loaded[-1] == ("user/pets", None)


def test_what_the_hub_does_not_have(loaded: list[tuple[str, str | None]]) -> None:
    with pytest.raises(SourceError, match=r"'hf:no/such' cannot be loaded .* doesn't exist"):
        open_source("hf:no/such")
    with pytest.raises(SourceError, match=r"'hf:a/b/c' is no data set. Write hf:user/name"):
        open_source("hf:a/b/c")
    assert loaded == [("no/such", None)]


def test_without_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SourceError, match=r"pip install 'latentbloom\[hub\]'"):
        open_source("hf:user/pets")


def test_a_data_set_without_pictures(
    loaded: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = datasets.Dataset.from_dict({"text": ["a"] * 20, "label": [0, 1] * 10})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: words)
    with pytest.raises(SourceError, match="hf:user/words holds no pictures. Its columns: text, la"):
        open_source("hf:user/words")


def test_folders_do_not_import_datasets(tmp_path: Path) -> None:
    import subprocess

    from picture_files import tree

    folder = tree(tmp_path, {"a": 10, "b": 10})
    code = (
        "import sys; from latentbloom.data.sources.open import open_source; "
        f"open_source({str(folder)!r}); "
        "print(sorted({'datasets', 'pyarrow', 'torch', 'yaml'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
