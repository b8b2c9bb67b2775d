"""Any names of classes and factors go through audit, fit, sample, show and report."""

from __future__ import annotations

import csv
import html
import json
import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

import latentbloom
from latentbloom.cli.main import main
from latentbloom.commands import command_line
from latentbloom.conditions import ConditionSpec
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.runs.names import read_names
from latentbloom.words import spelling_key, visible
from picture_files import noise, save
from tiny_run import TINY

MANY = settings.default is not None and settings.default.max_examples > 100
EXAMPLES = settings(
    max_examples=settings.default.max_examples // 20 if MANY and settings.default else 1,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # an example takes seconds: none is made smaller
)
QUICK = {**TINY, "train.vae_gan_images": 16, "train.diffusion_images": 16, "sampling.num_steps": 1}


def is_label(name: str) -> bool:
    """Whether it is read as a label of its own: no word for yes, no, nothing or a split."""
    key = spelling_key(visible(name))
    return (
        len(key) > 5
        and name == name.strip()
        and name[0] not in ".@$"
        and key.strip("-+.0123456789") != ""
        and not key.startswith(("not", "no_", "non", "train", "valid", "unknown", "without"))
        and key not in ("system volume information", "lost+found", "__macosx", "missing")
    )


# What a folder can be called on Linux: any bytes but / and 0.
FOLDERS = st.lists(
    st.one_of(
        st.binary(min_size=6, max_size=60).map(
            lambda b: b.replace(b"/", b"|").replace(b"\0", b"0")
        ),
        st.text(
            st.characters(codec="utf-8", exclude_characters="/\0"), min_size=6, max_size=30
        ).map(os.fsencode),
    )
    .map(os.fsdecode)
    .filter(is_label),
    min_size=2,
    max_size=4,
    unique_by=lambda name: spelling_key(visible(name)),
)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=30)
TABLES = st.dictionaries(
    CELLS.filter(lambda name: factor_name(name, "") not in ("", "file", "split")),
    st.lists(
        CELLS.filter(is_label),
        min_size=2,
        max_size=3,
        unique_by=lambda value: spelling_key(visible(value)),
    ),
    min_size=1,
    max_size=2,
).filter(lambda factors: len({factor_name(name) for name in factors}) == len(factors))
HARD = [
    os.fsdecode(b"caf\xe9 rouge"),
    "[b] :rose: $x_",
    "-–help=1,label=a",
    "w" * 240,
    "玫瑰🌹\n\x1b[31m",
]


def train(source: Path, run: Path) -> ConditionSpec:
    """Audit and fit, without the figures that a fit ends with."""
    assert main(["audit", str(source), "--out", str(run.parent / "audit.json")]) == 0
    json.loads((run.parent / "audit.json").read_text(encoding="utf-8"))
    with mock.patch("latentbloom.fitting.finish._pictures", return_value=True):
        model = latentbloom.fit(source, out=run, overrides=QUICK, console=Console(quiet=True))
    assert model is not None
    return model.spec


def check_run(run: Path, spec: ConditionSpec) -> None:
    """Each value can be asked for by the command as it is printed, and has files of its own."""
    single = [{f.name: value} for f in spec.factors for value in f.values]
    for words in single:
        line = command_line("sample", run, "-n", 1, cond=words, windows=False)
        assert main(shlex.split(line)[1:]) == 0
    table = read_names(run)
    folders = [path.name for path in (run / "samples").iterdir() if path.is_dir()]
    assert len({name.casefold() for name in folders}) == len(single)
    said = [table[name.removesuffix("_seed0")] for name in folders]
    assert sorted(map(str, said)) == sorted(map(str, single))
    for name in folders:
        (picture,) = (run / "samples" / name).glob("*_seed0_0000.png")
        assert picture.name.startswith(name)
    assert main(["show", str(run), "classes", "path"]) == 0
    combinations = min(6, len(list(spec.combinations())))
    for start in ("sample_class_", "denoising_path_"):
        figures = [path.stem for path in (run / "figures").glob(f"{start}*.png")]
        assert len({name.casefold() for name in figures}) == combinations
        assert all(table_of(run, name.removeprefix(start)) for name in figures)
    page = (run / "report.html").read_text(encoding="utf-8")
    for factor in spec.factors:
        for value in factor.values:
            assert html.escape(value, quote=False)[:40] in page.replace("&#34;", '"').replace(
                "&#39;", "'"
            )


def table_of(run: Path, word: str) -> dict[str, str]:
    return read_names(run)[word]


@pytest.mark.slow
@EXAMPLES
@example(names=HARD)
@given(names=FOLDERS)
def test_any_names_of_folders(names: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        made = []
        for number, name in enumerate(names):
            folder = Path(place, "pictures", name)
            try:
                folder.mkdir(parents=True)
            except OSError:  # this file system does not take the name
                continue
            made.append(name)
            for k in range(10):
                save(folder / f"{k}.png", noise(100 * number + k, height=16, width=16, channels=1))
        if len(made) < 2:
            return
        run = Path(place, "run")
        spec = train(Path(place, "pictures"), run)
        (factor,) = spec.factors
        assert {spelling_key(value) for value in factor.values} == {
            spelling_key(visible(name)) for name in made
        }
        check_run(run, spec)


@pytest.mark.slow
@EXAMPLES
@example(
    factors={"größe, [b]=": ["a, b=c;d", 'say "hi" [/b]'], "日本語 %s": ["C:\\new\\x", "--cond"]}
)
@given(factors=TABLES)
def test_any_names_in_a_table(factors: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        rows = [["file", *factors]]
        for k in range(36):
            save(Path(place, "pictures", f"{k}.png"), noise(k, height=16, width=16, channels=1))
            cells = [values[k // 3**n % len(values)] for n, values in enumerate(factors.values())]
            rows.append([f"{k}.png", *cells])
        with Path(place, "pictures", "labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        run = Path(place, "run")
        spec = train(Path(place, "pictures"), run)
        assert {factor.name for factor in spec.factors} == {factor_name(name) for name in factors}
        check_run(run, spec)


def test_the_explicit_examples_are_labels() -> None:
    assert all(map(is_label, HARD))
    with pytest.raises(UnicodeEncodeError):
        HARD[0].encode()
