"""The two diagrams of the documentation: `python docs/diagrams.py` writes docs/images/*.svg.

The house comes from the layers that `lint-imports` checks (pyproject.toml) and from the table of
rooms in CONTRIBUTING.md. A test compares the files with what this script makes.
"""

from __future__ import annotations

import re
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

WIDTH = 760
INK, MUTED, LINE, PAPER, ROOM, SIDE = (
    "#1c1917",
    "#57534e",
    "#a8a29e",
    "#ffffff",
    "#f5f0ff",
    "#ecfdf5",
)
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" role="img" aria-label="{label}" '
    "font-family=\"system-ui, 'DejaVu Sans', sans-serif\">\n"
    '<rect width="100%" height="100%" rx="8" fill="' + PAPER + '"/>'
)


def layers() -> list[list[str]]:
    """Rooms from the top of the house to the ground floor; rooms of one layer share a list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(
        c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers"
    )
    return [[room.strip() for room in re.split(r"[|:]", layer)] for layer in contract["layers"]]


def rooms() -> dict[str, str]:
    """What each room holds, from the table in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, flags=re.MULTILINE)
    return {name: re.sub(r"[`*]", "", words) for name, words in rows}


def house() -> str:
    """Each room imports only from the rooms below it."""
    step, top = 40, 44
    found, words = layers(), rooms()
    height = top + step * len(found) + 40
    lines = [
        HEAD.format(width=WIDTH, height=height, label="The rooms of the package, one above another")
    ]
    lines.append(
        _text(WIDTH / 2, 28, "a room imports only from the rooms below it", 13, MUTED, "middle")
    )
    for row, names in enumerate(found):
        share = (WIDTH - 40 - 10 * (len(names) - 1)) / len(names)
        y = top + row * step
        for place, name in enumerate(names):
            x = 20 + place * (share + 10)
            lines.append(_box(x, y, share, step - 8, ROOM if row < len(found) - 8 else SIDE))
            lines.append(_text(x + 12, y + 21, name, 14, INK, bold=True))
            if len(names) <= 2:
                lines.append(_text(x + 106, y + 21, words.get(name, ""), 13, MUTED))
    y = top + len(found) * step + 16
    lines.append(_text(WIDTH / 2, y, "green: knows no data set and no run", 13, MUTED, "middle"))
    return "\n".join([*lines, "</svg>\n"])


FLOW = (
    (("source", "folders, labels.csv,", "CelebA, synthetic ..."),),
    (("audit", "what is there,", "is it enough?"),),
    (("stage 1: VAE-GAN", "pictures to latents", "and back"),),
    (("latents", "every picture", "encoded once"),),
    (("stage 2: diffusion", "noise to latents,", "by condition"),),
    (("guided sampler", "steps from noise", "to a latent"),),
    (("decoder", "latent to picture", "(trained last)"),),
    (("records", "picture, condition,", "seed, path"),),
)
RESULTS = ("pictures", "scores", "report.html")


def flow() -> str:
    """From labelled pictures to pictures, scores and a report, in two rows."""
    wide, tall, gap, left = 160, 72, 28, 18
    height = 308
    lines = [HEAD.format(width=WIDTH, height=height, label="The flow of data through latentbloom")]
    lines.append(
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="{MUTED}"/></marker></defs>'
    )
    for number, ((name, *more),) in enumerate(FLOW):
        row, column = divmod(number, 4)
        x, y = left + column * (wide + gap), 20 + row * 120
        lines.append(_box(x, y, wide, tall, SIDE if name.startswith("stage") else ROOM))
        lines.append(_text(x + wide / 2, y + 24, name, 14, INK, "middle", bold=True))
        for k, words in enumerate(more):
            lines.append(_text(x + wide / 2, y + 44 + 16 * k, words, 12, MUTED, "middle"))
        if column < 3:
            lines.append(_arrow(x + wide, y + tall / 2, x + wide + gap, y + tall / 2))
    last, first = left + 3 * (wide + gap) + wide / 2, left + wide / 2
    lines.append(
        f'<path d="M{last} 92V116H{first}V138" fill="none" stroke="{MUTED}" '
        'marker-end="url(#tip)"/>'
    )
    for k, name in enumerate(RESULTS):
        x = left + (k + 1) * (wide + gap)
        lines.append(_box(x, 252, wide, 36, ROOM))
        lines.append(_text(x + wide / 2, 275, name, 14, INK, "middle", bold=True))
        lines.append(_arrow(last, 212, x + wide / 2, 252))
    return "\n".join([*lines, "</svg>\n"])


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" '
        f'stroke="{LINE}"/>'
    )


def _text(
    x: float, y: float, words: str, size: int, fill: str, anchor: str = "start", bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"'
        f"{weight}>{escape(words)}</text>"
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{MUTED}" '
        'marker-end="url(#tip)"/>'
    )


DIAGRAMS = {"house.svg": house, "flow.svg": flow}


def main() -> None:
    """Write them."""
    for name, draw in DIAGRAMS.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
