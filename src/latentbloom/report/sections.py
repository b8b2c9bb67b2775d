"""Sections of the report, each made from the run's files alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentbloom.commands import command_line
from latentbloom.figures.from_run_files.series import TITLES, stage_curves
from latentbloom.figures.sheets import Sheet
from latentbloom.report.embed import PagePicture, embed, embed_file, sheet_rows
from latentbloom.report.facts import OPTIONAL_STAGES, get, key_numbers, summary
from latentbloom.report.health import worries
from latentbloom.report.run_files import RunFiles
from latentbloom.report.svg import can_be_log, panel, short


@dataclass
class Block:
    """A part of a section: a heading, a note, and pictures or ready markup."""

    heading: str = ""
    note: str = ""
    sheet: dict[str, Any] | None = None
    figure: PagePicture | None = None
    html: str = ""


@dataclass
class Section:
    """A part of the page.

    Attributes:
        id: Its anchor.
        title: Its heading.
        lead: A sentence under the heading.
        short: Its name in the bar at the top, where the heading is long.
        missing: Sentences that say what is missing.
        data: What the template shows.
        blocks: Its parts, in order.
    """

    id: str
    title: str
    lead: str = ""
    short: str = ""
    missing: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


def hero(run: RunFiles) -> list[PagePicture]:
    """One sample of each condition in turn, for the head of the page."""
    sheet = Sheet.load(run.path, "samples_by_condition")
    if sheet is None:
        return []
    order = [(k % len(sheet.rows)) * sheet.cols + k for k in range(min(8, sheet.cols))]
    places = [(k, sheet.rows[k // sheet.cols]) for k in order if k < len(sheet.pixels)]
    return [embed(sheet.pixels[k], f"A sample of “{label}”") for k, label in places]


def summary_section(run: RunFiles) -> Section:
    """Sentences, key numbers and warnings."""
    data = {"sentences": summary(run), "numbers": key_numbers(run), "worries": worries(run)}
    return Section("summary", "Summary", data=data)


def reconstruction_section(run: RunFiles) -> Section:
    """Originals above their reconstructions: worst, middle and best."""
    section = Section(
        "reconstructions",
        "Reconstructions",
        "Top: the original. Bottom: its reconstruction by the autoencoder. Samples cannot be "
        "sharper than reconstructions.",
    )
    if get(run.config, "autoencoder.family") == "pixel":
        section.lead = ""
        section.missing.append("This model works on pixels directly: it has no autoencoder.")
        return section
    sheet = Sheet.load(run.path, "reconstructions")
    if sheet is None or len(sheet.rows) < 2:
        figure = embed_file(
            run.path / "figures" / "reconstructions.png", "Originals above their reconstructions"
        )
        if figure is None:
            section.missing.append("There are no reconstructions yet.")
        else:
            section.blocks.append(Block(figure=figure))
        return section
    groups: dict[str, list[dict[str, Any]]] = {}
    for first, second, known in zip(sheet.row(0), sheet.row(1), sheet.pictures, strict=False):
        numbers = [known[name] for name in ("psnr", "ssim", "apart") if name in known]
        said = " / ".join(f"{n:.1f}" if k == 0 else f"{n:.2f}" for k, n in enumerate(numbers))
        pair = [
            embed(first, "Original"),
            embed(
                second, f"Its reconstruction; PSNR in dB, SSIM, distance of feature maps: {said}"
            ),
        ]
        groups.setdefault(str(known.get("group", "")), []).append(
            {"pictures": pair, "caption": said}
        )
    section.data["groups"] = [{"name": name, "pairs": pairs} for name, pairs in groups.items()]
    section.blocks.append(Block(note=str(sheet.about.get("note", ""))))
    return section


def sample_section(run: RunFiles) -> Section:
    """Samples by condition, and decoded noise without and with the denoiser."""
    section = Section("samples", "Samples by condition", short="Samples")
    sheet = Sheet.load(run.path, "samples_by_condition")
    if sheet is None:
        section.missing.append(
            "There are no samples yet: they appear once stage 2 has started."
            if not run.finished
            else "There are no samples. Run `latentbloom show` on this folder to draw them."
        )
    else:
        section.blocks.append(
            Block(note=str(sheet.about.get("note", "")), sheet=sheet_rows(sheet, "Sample"))
        )
    prior = Sheet.load(run.path, "prior_samples")
    if prior is not None:
        section.blocks.append(
            Block(
                "What the diffusion model adds",
                str(prior.about.get("note", "")),
                sheet_rows(prior, "Picture"),
            )
        )
    return section


def preview_block(run: RunFiles) -> Block | None:
    """The newest preview in samples/ or figures/; None once the run is finished."""
    if run.finished:
        return None
    found = [
        path
        for pattern in ("samples/*preview*", "samples/*.png", "samples/*.jpg", "figures/*preview*")
        for path in run.path.glob(pattern)
        if path.suffix in (".png", ".jpg", ".webp")
    ]
    if not found:
        return None
    newest = max(found, key=lambda path: path.stat().st_mtime)
    figure = embed_file(newest, "Preview from training")
    return Block("Latest preview", f"From {newest.name}.", figure=figure)


def curve_section(run: RunFiles) -> Section:
    """Every loss and score of training, on linear and logarithmic axes."""
    section = Section(
        "curves",
        "Training",
        "By number of pictures seen. Shaded bands mark the phases of training.",
    )
    stages = []
    for stage, title in TITLES.items():
        curves = stage_curves(run.metrics, stage)
        if not curves.series:
            if stage not in OPTIONAL_STAGES:
                section.missing.append(f"{title}: there are no records in metrics.jsonl.")
            continue
        panels = [
            {
                "title": one.title,
                "about": one.about,
                "linear": panel(one, curves),
                "logarithmic": panel(one, curves, log=True) if can_be_log(one) else "",
                "starts_log": one.log and can_be_log(one),
            }
            for one in curves.series
        ]
        phases = [{"name": name, "start": short(start)} for name, start in curves.phases]
        stages.append({"title": title, "panels": panels, "phases": phases})
    section.data["stages"] = stages
    return section


def settings_section(run: RunFiles) -> Section:
    """All settings, from config.json."""
    section = Section("settings", "Settings", "All settings of this run, from config.json.")
    if not run.config:
        section.missing.append("There is no config.json, or it cannot be read.")
    groups = []
    for name, value in run.config.items():
        if isinstance(value, Mapping):
            rows = [(k.replace("_", " "), _words(v)) for k, v in value.items()]
            groups.append({"name": name.replace("_", " "), "rows": rows})
    section.data["groups"] = groups
    return section


def reproduce_section(run: RunFiles) -> Section:
    """Commands that repeat this run, its samples and its figures."""
    section = Section("reproduce", "Reproduce this run", short="Reproduce")
    folder = Path(run.path).resolve().name
    source = get(run.config, "data.source", "SOURCE")
    minutes = get(run.config, "train.minutes")
    fit = command_line(
        *("fit", source, "--config", f"{folder}/config.json", "--out", f"{folder}-again")
    )
    timed = (
        f" The run was limited to {minutes:g} minutes: a faster machine trains more in them."
        if minutes
        else ""
    )
    section.data["commands"] = [
        {"words": f"Train again with the same settings and seed.{timed}", "text": fit},
        {
            "words": "Generate more samples. Sample k depends only on the seed and on k.",
            "text": command_line("sample", folder, "-n", 16, "--seed", 1, cond=_example(run)),
        },
        {"words": "Redraw the figures of this page.", "text": command_line("show", folder)},
    ]
    return section


def _example(run: RunFiles) -> Mapping[str, str]:
    """A condition that the samples of the report show."""
    sheet = Sheet.load(run.path, "samples_by_condition")
    words = next((p.get("cond") for p in sheet.pictures if p.get("cond")), None) if sheet else None
    return words or {}


def _words(value: Any) -> str:
    if value is None or value == "":
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
