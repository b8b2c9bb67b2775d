"""The training data, from audit.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentbloom.conditions import ANY
from latentbloom.figures.sheets import Sheet
from latentbloom.report.embed import sheet_rows
from latentbloom.report.facts import get
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Block, Section

_MOST_BARS = 24


def data_section(run: RunFiles) -> Section:
    """Pictures per label as bars, facts, the audit's advice, and the colours found."""
    section = Section("data", "Data")
    colours = Sheet.load(run.path, "colours")
    if colours is not None and colours.about.get("found"):
        rows = sheet_rows(colours, "Picture")
        section.blocks.append(Block("Colours found", str(colours.about.get("note", "")), rows))
    audit = run.audit
    if not audit.get("counts"):
        section.missing.append("There is no audit.json, or it cannot be read.")
        return section
    verdict = audit.get("verdict")
    section.lead = f"Audit before training: {verdict}." if verdict else ""
    section.data["facts"] = _facts(audit)
    section.data["factors"] = _factors(audit["counts"])
    section.data["notes"] = [*audit.get("advice", []), *audit.get("notes", [])]
    return section


def _facts(audit: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        ("training pictures", f"{audit['train']:,}"),
        ("held-out pictures", f"{audit['val']:,}"),
        ("channels", "1 (grey)" if audit.get("channels") == 1 else "3 (colour)"),
    ]
    if audit.get("synthetic"):
        return [*found, ("source", "rendered by latentbloom")]
    sizes = audit.get("sizes", {})
    width, height = get(sizes, "width", [0, 0, 0]), get(sizes, "height", [0, 0, 0])
    same = width[0] == width[2] and height[0] == height[2]
    span = (
        f"{width[0]} × {height[0]}"
        if same
        else (f"{width[0]} × {height[0]} to {width[2]} × {height[2]}")
    )
    found.append(("pixels", span))
    duplicates = audit.get("duplicates", [])
    found += [
        ("not square", f"{sizes.get('not_square', 0):,}"),
        ("exact duplicates", f"{_copies(duplicates, exact=True):,}"),
        ("near duplicates", f"{_copies(duplicates, exact=False):,}"),
        (
            "in both training and held-out",
            # Audits of earlier versions do not say how many of a group are held out.
            f"{sum(t.get('held_out') or 1 for t in duplicates if t.get('across_splits')):,}",
        ),
        ("unreadable", f"{len(audit.get('broken', [])):,}"),
    ]
    return found


def _copies(duplicates: Sequence[Mapping[str, Any]], *, exact: bool) -> int:
    return sum(len(d.get("names", ())) - 1 for d in duplicates if d.get("exact") is exact)


def _factors(counts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_factor: dict[str, list[Mapping[str, Any]]] = {}
    for count in counts:
        by_factor.setdefault(count["factor"], []).append(count)
    factors = []
    for name, values in by_factor.items():
        peak = max((v["train"] + v["val"] for v in values), default=0) or 1
        shown = sorted(values, key=lambda v: -v["train"]) if len(values) > _MOST_BARS else values
        bars = [
            {
                "label": "not labelled" if v["value"] == ANY else v["value"],
                "share": round(100 * v["train"] / peak, 2),
                "more": round(100 * v["val"] / peak, 2),
                "words": f"{v['train']:,} + {v['val']:,}",
            }
            for v in shown[:_MOST_BARS]
        ]
        rest = len(values) - len(bars)
        factors.append({"name": name, "bars": bars, "rest": rest})
    return factors
