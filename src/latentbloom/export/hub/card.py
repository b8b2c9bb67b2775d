"""The model card of a published run: front matter that the Hub reads, then what people read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentbloom.export.data_terms import is_synthetic, public_name, terms_of_run
from latentbloom.report.card import card_text
from latentbloom.report.facts import get
from latentbloom.report.run_files import RunFiles

LICENCE = "other"


def published_card(run: RunFiles, name: str, figures: list[str], licence: str | None) -> str:
    """The card as Markdown with YAML front matter.

    Arguments:
        run: The run.
        name: Repository, user/name.
        figures: File names of the figures that are published.
        licence: Identifier of a licence, for example "mit"; None where none is granted.
    """
    source = get(run.config, "data.source", "")
    terms = terms_of_run(run.path)
    lines = ["---", *_front_matter(run, name, source, licence), "---", ""]
    body = card_text(run)
    title, _, rest = body.partition("\n")
    if terms:
        title += (
            f"\n\n> **Terms of the training pictures.** {terms.sentence} See [{terms.name}]"
            f"({terms.url}). They bind whoever uses or passes on this model, too."
        )
    rest = rest.replace(f"“{source}”", f"“{public_name(source)}”").replace(
        f"`{source}`", f"`{public_name(source)}`"
    )
    local = run.path.resolve().name
    rest = rest.replace(
        f"latentbloom.load({json.dumps(local)})", f"latentbloom.load({json.dumps(f'hub:{name}')})"
    ).replace(f'latentbloom.load("{local}")', f'latentbloom.load("hub:{name}")')
    rest = _only_figures(rest, figures)
    parts = [title.replace(f"# {local}", f"# {name.partition('/')[2]}"), rest.strip(), ""]
    parts += [*_scores(run), *_data(run, source), "## Licence", "", _licence(licence), ""]
    return "\n".join(lines) + "\n".join(parts)


def _front_matter(run: RunFiles, name: str, source: str, licence: str | None) -> list[str]:
    """Lines of YAML. JSON strings are YAML strings, so that any name is quoted correctly."""
    front = [
        "library_name: latentbloom",
        "pipeline_tag: unconditional-image-generation",
        f"license: {json.dumps(licence or LICENCE)}",
        "tags:",
        *(f"- {tag}" for tag in ("latentbloom", "diffusion", "image-generation")),
    ]
    metrics = [*_metrics(run)]
    if metrics:
        front += [
            "model-index:",
            f"- name: {json.dumps(name.partition('/')[2])}",
            "  results:",
            "  - task:",
            "      type: unconditional-image-generation",
            "    dataset:",
            f"      name: {json.dumps(public_name(source) or 'pictures', ensure_ascii=False)}",
            f"      type: {json.dumps(_slug(public_name(source)))}",
            "    metrics:",
        ]
        for kind, label, value in metrics:
            front += [
                f"    - type: {kind}",
                f"      name: {json.dumps(label, ensure_ascii=False)}",
                f"      value: {value:.6g}",
            ]
    return front


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") or "pictures"


def _metrics(run: RunFiles) -> list[tuple[str, str, float]]:
    """Kind, name and value of the scores that the Hub lists."""
    found = []
    for key in ("kernel", "frechet"):
        score = get(run.scores, f"pictures.{key}")
        if score:
            found.append((key, score["name"], float(score["value"]["value"])))
    for control in get(run.scores, "pictures.control", []):
        label = f"condition accuracy, {control['factor']}"
        found.append(("accuracy", label, float(control["mean"]["value"])))
    psnr = get(run.scores, "reconstruction.psnr")
    if psnr:
        found.append(("psnr", "PSNR of reconstructions", float(psnr["value"])))
    return found


def _scores(run: RunFiles) -> list[str]:
    """The scores with their 95 % intervals, beside those of real pictures."""
    rows = []
    for key in ("kernel", "frechet"):
        score = get(run.scores, f"pictures.{key}")
        if score:
            rows.append((score["name"], _interval(score["value"]), _interval(score["floor"])))
    for control in get(run.scores, "pictures.control", []):
        rows.append(
            (
                f"condition accuracy, {control['factor']}",
                _interval(control["mean"]),
                _interval(control["real_mean"]),
            )
        )
    for key, label in (("psnr", "PSNR, dB"), ("ssim", "SSIM")):
        score = get(run.scores, f"reconstruction.{key}")
        if score:
            rows.append((f"reconstructions, {label}", _interval(score), ""))
    if not rows:
        return []
    count = get(run.scores, "pictures.samples")
    lines = ["## Scores", "", "| score | value (95 % interval) | real pictures |"]
    lines += ["| --- | --- | --- |", *(f"| {a} | {b} | {c} |" for a, b, c in rows), ""]
    if count:
        lines += [
            f"On {count:,} samples. Scores depend on that number and on the feature network, which "
            "is part of their names; they are not comparable with other programs'.",
            "",
        ]
    return lines


def _interval(value: Mapping[str, Any] | None) -> str:
    if not value:
        return ""
    return f"{value['value']:.3g} ({value['low']:.3g} to {value['high']:.3g})"


def _data(run: RunFiles, source: str) -> list[str]:
    lines = ["## Data", ""]
    if is_synthetic(source):
        lines.append(f"`{source}`: pictures that latentbloom rendered itself; labels are exact.")
    else:
        lines.append(f"`{public_name(source)}`. No real picture is part of this repository.")
    train, val = run.audit.get("train"), run.audit.get("val")
    if train is not None:
        lines.append(f"{train:,} pictures to train on, {val or 0:,} held out.")
    for factor in run.audit.get("spec", []):
        lines.append(f"\n- `{factor['name']}`: {', '.join(factor['values'])}")
    return [*lines, ""]


def _licence(licence: str | None) -> str:
    if licence:
        return f"The weights are under the licence `{licence}`."
    return (
        "Its author has not granted a licence. The program that made it, latentbloom, is under the "
        "MIT licence; that does not extend to the weights."
    )


def _only_figures(text: str, figures: list[str]) -> str:
    """Without figures that are not published, without their headings, and without file lists."""

    def keep(match: re.Match[str]) -> str:
        return match[0] if Path(match["file"]).name in figures else ""

    text = re.sub(r"(?:## [^\n]+\n\n)?!\[[^\]]*\]\((?P<file>[^)]+)\)\n\n?", keep, text)
    return text.partition("## Files\n")[0]
