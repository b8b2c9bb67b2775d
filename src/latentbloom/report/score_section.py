"""Scores with their error bars, from scores.json."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from latentbloom.evaluate import FEW
from latentbloom.report.facts import get
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Section


def score_section(run: RunFiles) -> Section:
    """Distances beside their floor, control per value, diversity, copying."""
    section = Section(
        "scores",
        "Scores",
        "The line at each number holds 95 % of repetitions; a number without its line says less "
        "than it seems to.",
    )
    pictures = get(run.scores, "pictures")
    if not pictures:
        section.lead = ""
        section.missing.append(
            "There are no scores yet. `latentbloom evaluate` on this folder makes them."
        )
        return section
    from jinja2 import Environment

    few = min(pictures.get("samples", 0), pictures.get("val", 0)) < FEW
    order = ("kernel", "frechet") if few else ("frechet", "kernel")
    page = files("latentbloom.report") / "templates" / "scores.html.j2"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(page.read_text(encoding="utf-8"))
    section.data["html"] = template.render(
        distances=[_distance(pictures[k]) for k in order if pictures.get(k)],
        reconstruction=_reconstruction(run.scores.get("reconstruction")),
        controls=[_control(c) for c in pictures.get("control", [])],
        combinations=[_combination(c) for c in pictures.get("combinations", [])],
        manifold=_manifold(pictures),
        diversity=pictures.get("diversity", []),
        copying=pictures.get("copying"),
        notes=pictures.get("notes", []),
        settings=run.scores.get("settings", {}),
        short=run.scores.get("short", False),
    )
    return section


def _distance(score: Mapping[str, Any]) -> dict[str, Any]:
    value, floor = score["value"], score["floor"]
    top = 1.08 * max(value["high"], value["value"], floor["high"])
    return {
        "name": score["name"],
        "value": value,
        "floor": floor,
        # A floor that may be zero is no measure: unbiased distances even go below it.
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
        "precision": "samples that look real",
        "recall": "real pictures that it could make",
        "density": "how deep samples lie among real pictures",
        "coverage": "real pictures with a sample nearby",
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
    """Places in per cent of a bar from 0 to `top`."""

    def share(number: float) -> float:
        return round(100.0 * min(max(number / top, 0.0), 1.0), 2) if top > 0 else 0.0

    low, high = share(value["low"]), share(value["high"])
    return {
        "dot": share(value["value"]),
        "low": low,
        "width": max(0.3, high - low),
        "mark": None if mark is None else share(mark),
    }
