"""report.html: one file that shows the state and results of a run, read from its folder alone."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.report import sections
from latentbloom.report.data_section import data_section
from latentbloom.report.facts import date_words, state_of
from latentbloom.report.map_section import map_section
from latentbloom.report.run_files import RunFiles, read_run
from latentbloom.report.score_section import score_section
from latentbloom.report.steps_section import (
    edit_section,
    grids_section,
    neighbour_section,
    steps_section,
)
from latentbloom.storage.files import write_atomic

if TYPE_CHECKING:
    from markupsafe import Markup

_STATE_WORDS = {
    "finished": "finished",
    "training": "in training; this page reloads every minute",
    "stopped": "stopped early",
}

_PARTS: tuple[Callable[[RunFiles], sections.Section], ...] = (
    sections.summary_section,
    data_section,
    sections.reconstruction_section,
    sections.sample_section,
    steps_section,
    grids_section,
    edit_section,
    map_section,
    neighbour_section,
    sections.curve_section,
    score_section,
    sections.settings_section,
    sections.reproduce_section,
)


def write_report(run: Path | str) -> Path:
    """Write run/report.html from the files of the run folder.

    It may be called during training. Where a section cannot be made, the page says why.

    Returns:
        The page's path.

    Raises:
        RunFolderError: The folder does not exist, or is not a run folder.
    """
    found = read_run(run)
    return write_atomic(found.path / "report.html", render(found).encode("utf-8"))


def render(run: RunFiles) -> str:
    """The page as text."""
    from jinja2 import Environment

    from latentbloom.version import __version__

    page = files("latentbloom.report") / "templates"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((page / "report.html.j2").read_text(encoding="utf-8"))
    state = state_of(run)
    parts = [_guarded(part, run) for part in _PARTS]
    preview = sections.preview_block(run)
    if preview is not None:
        parts[0].blocks.append(preview)
    return template.render(
        title=run.path.resolve().name,
        version=__version__,
        state=state,
        state_words=_STATE_WORDS[state],
        written=date_words(datetime.datetime.now()),
        hero=sections.hero(run),
        sections=parts,
        css=_plain(page / "report.css"),
        js=_plain(page / "report.js"),
    )


def _guarded(part: Callable[[RunFiles], sections.Section], run: RunFiles) -> sections.Section:
    try:
        return part(run)
    except Exception as error:  # a file of another version must not break the whole page
        name = part.__name__.removesuffix("_section")
        text = f"This section could not be made: {type(error).__name__}: {error}"
        return sections.Section(name, name.capitalize(), missing=[text])


def _plain(path: Traversable) -> Markup:
    from markupsafe import Markup

    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - a file of this package
