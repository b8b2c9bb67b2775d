"""Every code block of the documentation, run on small synthetic data."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser

import latentbloom
from tests.docs import workshop
from tests.docs.workshop import ROOT

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if "_build" not in path.parts
)
NOT_RUN = re.compile(r"<!-- not run: \S[^>]* -->\n+\Z")


def not_run(example: Example) -> bool:
    """Whether the page says, above the block, that it is not run and why."""
    return NOT_RUN.search(example.document.text[: example.region.start]) is not None


def shell(example: Example) -> None:
    """Run the lines of a shell block, or parse them where the page says that it is not run."""
    for words in workshop.commands(example.parsed):
        (workshop.check if not_run(example) else workshop.run)(words)


def python(example: Example) -> None:
    """Run a Python block, or compile it where the page says that it is not run."""
    if not_run(example):
        compile(example.parsed, example.path, "exec")
    else:
        PythonEvaluator()(example)


PARSERS = (
    CodeBlockParser("python", evaluator=python),
    *(CodeBlockParser(language, evaluator=shell) for language in ("sh", "bash", "console")),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures and two scored runs; runs end without scores and figures."""
    from latentbloom.fitting.work import Work
    from latentbloom.model.generator import load

    def finish(self: Work, *_: Any) -> Any:
        return load(self.folder.path)

    def fit(source: str, *, minutes: float = 0, overrides: Any = None, **more: Any) -> Any:
        return real(source, overrides={**workshop.TINY_RUN, **(overrides or {})}, **more)

    real = latentbloom.fit
    folder = tmp_path_factory.mktemp("docs")
    workshop.furnish(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        patch.setenv("LATENTBLOOM_CACHE", str(folder / "cache"))
        patch.setattr(Work, "finish", finish)
        patch.setattr(latentbloom, "fit", fit)
        workshop.run(["latentbloom", "fit", "pictures/", "--minutes", "20", "--out", "runs/mine"])
        workshop.run(["latentbloom", "evaluate", "runs/mine"])
        shutil.copytree("runs/mine", "runs/other")
        yield folder


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("path", PAGES)
def test_code_blocks(path: str) -> None:
    document = Document.parse(str(ROOT / path), *PARSERS)
    for example in document.examples():
        try:
            example.evaluate()
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{path}, line {example.line}: {error}") from error


def test_an_unknown_option_is_found() -> None:
    with pytest.raises((AssertionError, SystemExit)):
        workshop.check(["latentbloom", "sample", "RUN", "--colour", "red"])
    with pytest.raises(AssertionError, match="cannot check it"):
        workshop.check(["latentblom", "fit", "pictures/"])


def test_a_block_that_is_not_run_gives_a_reason() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for found in re.finditer(r"^<!-- not run.*", text, re.MULTILINE):
            assert NOT_RUN.search(found[0] + "\n"), f"{page}: '{found[0]}' gives no reason"
            after = text[found.end() :].lstrip("\n")
            assert after.startswith("```"), f"{page}: no block follows '{found[0]}'"
