"""Rows of the benchmark's tables, computed from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = tuple[str, ...]
Piece = Mapping[str, Any]

QUALITY_HEADS = (
    "model",
    "minutes",
    "samples",
    "distance / floor",
    "KID (real)",
    "as asked (real)",
    "nearer to train than 99 % of val",
    "reconstruction PSNR",
    "reconstruction distance / floor",
)
SAMPLING_HEADS = (
    "setting",
    "sampler",
    "steps",
    "evaluations",
    "guidance",
    "pictures a second",
    "distance (95 %)",
    "KID (95 %)",
    "as asked",
)
PROFILE_HEADS = ("operation", "share of a step", "ms a step", "times a step")
TOP = 8
PEAK = "matrix peak bf16, GFLOP/s"

MATRIX = ("conv", "mm", "linear", "matmul", "scaled_dot_product", "einsum")
"""Parts of the names of operations whose arithmetic counts against the peak."""

TIMES_CLASSIC = 15.0
SHARE_OF_PEAK = 0.5
TIMES_ANCESTRAL = 100.0
DRAFT_EVALUATIONS = 4
DRAFT_DISTANCE = 1.5
"""The aims."""

AIMS = {"stage 2 latents/s": "2,000, or better pictures with fewer"}
"""Aims of what `bench.speed` measures, in words."""


def quality_row(name: str, minutes: float, scores: Piece | None) -> Row:
    """A row of `QUALITY_HEADS`; dashes where there are no scores."""
    if scores is None:
        return (name, f"{minutes:g}", *["-"] * (len(QUALITY_HEADS) - 2))
    pictures, rebuilt = scores["pictures"], scores["reconstruction"]
    kernel = pictures["kernel"]
    met = [
        f"{c['factor']} {c['mean']['value']:.1%} ({c['real_mean']['value']:.1%})"
        for c in pictures["control"]
    ]
    copied = pictures["copying"]
    return (
        name,
        f"{minutes:g}",
        f"{pictures['samples']:,}",
        over_floor(pictures["frechet"]),
        f"{kernel['value']['value']:.4f} ({kernel['floor']['value']:.4f})",
        ", ".join(met) or "-",
        "-" if copied is None else f"{copied['share']['value']:.1%}",
        "-" if rebuilt is None else f"{rebuilt['psnr']['value']:.2f} dB",
        "-" if rebuilt is None else over_floor(rebuilt["frechet"]),
    )


def over_floor(distance: Piece) -> str:
    """A distance, its floor, and their ratio."""
    value, floor = distance["value"]["value"], distance["floor"]["value"]
    return f"{value:.1f} / {floor:.1f} = {value / max(floor, 1e-12):.2f}"


def sampling_rows(rows: Mapping[str, Piece]) -> list[Row]:
    """A row of `SAMPLING_HEADS` a setting."""
    lines: list[Row] = []
    for name, row in rows.items():
        setting, kernel = row["setting"], row["kernel"]["value"]
        frechet = row["frechet"]["value"]
        lines.append(
            (
                name,
                setting["sampler"],
                f"{setting['num_steps']:,}",
                f"{row['evaluations']:,}",
                f"{setting['guidance']:g}",
                number(row["pictures_per_second"]),
                f"{frechet['value']:.1f} ({frechet['low']:.1f} to {frechet['high']:.1f})",
                f"{kernel['value']:.4f} ({kernel['low']:.4f} to {kernel['high']:.4f})",
                ", ".join(f"{factor} {share:.1%}" for factor, share in row["met"]) or "-",
            )
        )
    return lines


def sampling_findings(rows: Mapping[str, Piece]) -> list[str]:
    """Sentences that compare balanced with ancestral sampling, and the draft with the best."""

    def distance(name: str) -> float:
        return rows[name]["frechet"]["value"]["value"]

    found = []
    if {"balanced", "ancestral"} <= rows.keys():
        quick, slow = (rows[name]["pictures_per_second"] for name in ("balanced", "ancestral"))
        ratio = distance("balanced") / max(distance("ancestral"), 1e-12)
        found.append(
            f"`balanced` generates {number(quick / slow)} times as many pictures a second as "
            f"{rows['ancestral']['setting']['num_steps']:,} ancestral steps, at {ratio:.2f} times "
            f"their distance (aim: at least {TIMES_ANCESTRAL:g}, at most 1)."
        )
    if {"draft", "best"} <= rows.keys():
        ratio = distance("draft") / max(distance("best"), 1e-12)
        found.append(
            f"`draft` evaluates the network {rows['draft']['evaluations']} times, and has "
            f"{ratio:.2f} times the distance of `best` (aim: at most {DRAFT_EVALUATIONS}, at most "
            f"{DRAFT_DISTANCE:g})."
        )
    return found


def speed_rows(parts: Mapping[str, Piece]) -> list[Row]:
    """Measured values and those derived from them: name, value, aim."""
    found = {
        name: value
        for part in parts.values()
        for name, value in part.items()
        if isinstance(value, int | float)
    }
    lines: list[Row] = [(name, number(value), AIMS.get(name, "")) for name, value in found.items()]
    share = share_of_peak(found)
    if share is not None:
        aim = f"{SHARE_OF_PEAK:.0%}"
        lines.append(("stage 1, share of the bf16 matrix peak", f"{share:.0%}", aim))
    if found.get("classic stage 1 images/s") and "stage 1 images/s" in found:
        gain = found["stage 1 images/s"] / found["classic stage 1 images/s"]
        lines.append(("stage 1 over classic in fp32, times", f"{gain:.1f}", f"{TIMES_CLASSIC:g}"))
    return lines


def share_of_peak(found: Mapping[str, float]) -> float | None:
    """Arithmetic of stage 1 a second, as a share of the machine's bf16 peak."""
    needed = ("stage 1 images/s", "stage 1 GFLOP/image", PEAK)
    if not all(found.get(name) for name in needed):
        return None
    return found["stage 1 images/s"] * found["stage 1 GFLOP/image"] / found[PEAK]


def profile_rows(parts: Mapping[str, Piece], *, top: int = TOP) -> list[Row]:
    """A row of `PROFILE_HEADS` for each of the slowest operations, and for the rest."""
    profile = parts.get("steps", {}).get("profile")
    if profile is None:
        return []
    operations: Sequence[Piece] = sorted(profile["operations"], key=lambda one: -one["seconds"])
    calls, whole = profile["calls"], profile["seconds"]

    def row(name: str, seconds: float, times: float) -> Row:
        shown = f"{times / calls:,.0f}" if times else ""
        return (name, f"{seconds / whole:.1%}", f"{1000 * seconds / calls:,.1f}", shown)

    rest = operations[top:]
    others = sum(one["seconds"] for one in rest)
    outside = whole - sum(one["seconds"] for one in operations)
    rows = [row(f"`{one['name']}`", one["seconds"], one["times"]) for one in operations[:top]]
    if rest:
        times = sum(one["times"] for one in rest)
        rows.append(row(f"{len(rest)} other operations", others, times))
    rows.append(row("in no operation: Python, reading, the profiler", max(0.0, outside), 0))
    return rows


def profile_findings(parts: Mapping[str, Piece]) -> list[str]:
    """A sentence on the share of a step whose arithmetic counts against the peak."""
    profile = parts.get("steps", {}).get("profile")
    if profile is None:
        return []
    matrix = sum(
        one["seconds"]
        for one in profile["operations"]
        if any(part in one["name"].lower() for part in MATRIX)
    )
    share = matrix / profile["seconds"]
    text = f"Convolutions and matrix products are {share:.0%} of a step"
    peak = share_of_peak(parts.get("training", {}))
    if peak is not None and share > 0:
        text += (
            f". The step as a whole reaches {peak:.0%} of the bf16 peak, these operations "
            f"themselves about {peak / share:.0%}: a step of nothing else would reach that"
        )
    return [f"{text}."]


def number(value: float) -> str:
    """Two decimals below a hundred, none above."""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def table(heads: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Lines of Markdown."""
    bar = "|".join(" --- " for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{bar}|", *(f"| {' | '.join(row)} |" for row in rows)]
