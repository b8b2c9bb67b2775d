"""Scores with their error bars, from scores.json."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from latentbloom.report.facts import few_pictures, get
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Section


def score_section(run: RunFiles) -> Section:
    """Condition accuracy by value, distances beside their floor, diversity and copying."""
    section = Section(
        "scores",
        "Scores",
        "Lines and brackets are 95% confidence intervals. Differences smaller than the intervals "
        "mean little.",
    )
    tables = [("", run.scores)] + [(_against(scores), scores) for scores in run.against]
    html = [_table(scores, heading) for heading, scores in tables if scores.get("pictures")]
    if not get(run.scores, "pictures"):
        section.missing.append(
            "There are no scores yet. Run `latentbloom evaluate` on this folder."
        )
    if not html:
        section.lead = ""
        return section
    section.data["html"] = "\n".join(html)
    return section


def _against(scores: Mapping[str, Any]) -> str:
    """Which other pictures the scores compare with, as a heading."""
    other = scores.get("against") or {}
    options = ", ".join(f"{name} {value}" for name, value in other.get("options", {}).items())
    place = f" ({options})" if options else ""
    return (
        f"Against all {other.get('pictures', 0):,} pictures of “{other.get('source', '')}”{place}"
    )


def _table(scores: Mapping[str, Any], heading: str) -> str:
    """The scores of one comparison as markup; without a heading, that of held-out pictures."""
    from jinja2 import Environment

    pictures = scores["pictures"]
    order = ("kernel", "frechet") if few_pictures(pictures) else ("frechet", "kernel")
    page = files("latentbloom.report") / "templates" / "scores.html.j2"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["short"] = _short
    template = environment.from_string(page.read_text(encoding="utf-8"))
    return template.render(
        heading=heading,
        path=(scores.get("against") or {}).get("path", ""),
        distances=[_distance(pictures[k]) for k in order if pictures.get(k)],
        reconstruction=_reconstruction(scores.get("reconstruction")),
        controls=[_control(c) for c in pictures.get("control", [])],
        combinations=[_combination(c) for c in pictures.get("combinations", [])],
        manifold=_manifold(pictures),
        diversity=pictures.get("diversity", []),
        copying=pictures.get("copying"),
        notes=pictures.get("notes", []),
        settings=scores.get("settings", {}),
        short=scores.get("short", False),
    )


def _short(number: float) -> str:
    """Three digits, without an exponent: 1060.4 is "1,060"."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def _distance(score: Mapping[str, Any]) -> dict[str, Any]:
    value, floor = score["value"], score["floor"]
    top = 1.08 * max(value["high"], value["value"], floor["high"])
    return {
        "name": score["name"],
        "value": value,
        "floor": floor,
        # No ratio to a floor that may be zero: unbiased distances can even be negative.
        "times": value["value"] / floor["value"] if floor["low"] > 0 else None,
        "bar": _bar(value, floor["value"], top),
    }


def _reconstruction(score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not score:
        return None
    return {**score, "distance": _distance(score["frechet"])}


def _control(score: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    columns = zip(score["values"], score["asked"], score["met"], score["real"], strict=True)
    for value, asked, met, real in columns:
        if met is not None:
            mark = None if real is None else real["value"]
            rows.append(
                {
                    "value": value,
                    "asked": asked,
                    "met": met,
                    "real": real,
                    "bar": _bar(met, mark, 1.0),
                }
            )
    peak = max((max(row, default=0) for row in score["confusion"]), default=0) or 1
    table = [
        {"value": value, "cells": [{"n": n, "share": round(100 * n / peak)} for n in counts]}
        for value, counts in zip(score["values"], score["confusion"], strict=True)
    ]
    return {**score, "rows": rows, "table": table if len(table) <= 12 else []}


def _combination(score: Mapping[str, Any]) -> dict[str, Any]:
    real = score.get("real")
    mark = None if real is None else real["value"]
    return {**score, "bar": _bar(score["met"], mark, 1.0)}


def _manifold(pictures: Mapping[str, Any]) -> list[dict[str, Any]]:
    floor = pictures.get("manifold_floor", {})
    about = {
        "precision": "share of samples that look real",
        "recall": "share of real pictures that the model can produce",
        "density": "how densely real pictures surround the samples",
        "coverage": "share of real pictures with a sample nearby",
    }
    rows = []
    for name, value in pictures.get("manifold", {}).items():
        mark = floor[name]["value"] if name in floor else None
        top = max(1.0, 1.08 * value["high"], 1.08 * (mark or 0.0))
        rows.append(
            {
                "name": name,
                "about": about.get(name, ""),
                "value": value,
                "real": mark,
                "bar": _bar(value, mark, top),
            }
        )
    return rows


def _bar(value: Mapping[str, float], mark: float | None, top: float) -> dict[str, float | None]:
    """Positions on a bar from 0 to `top`, in percent."""

    def share(number: float) -> float:
        return round(100.0 * min(max(number / top, 0.0), 1.0), 2) if top > 0 else 0.0

    low, high = share(value["low"]), share(value["high"])
    return {
        "dot": share(value["value"]),
        "low": low,
        "width": max(0.3, high - low),
        "mark": None if mark is None else share(mark),
    }
