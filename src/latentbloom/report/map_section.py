"""The latent map of the report: dots that show their picture on hover."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from latentbloom.figures.maps.latent_map import MOST_NAMED
from latentbloom.figures.maps.projection import class_centres
from latentbloom.figures.sheets import FOLDER, Sheet
from latentbloom.pictures.images import data_uri, picture_bytes
from latentbloom.pictures.palette import class_colours
from latentbloom.report.embed import embed_file
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Block, Section
from latentbloom.storage.user_files import read_bytes


def map_section(run: RunFiles) -> Section:
    """PCA and t-SNE of latents, coloured by any factor, with samples as rings."""
    section = Section("map", "Latent map", short="Map")
    sheet = Sheet.load(run.path, "latent_map")
    if sheet is None:
        figure = embed_file(run.path / "figures" / "latent_map.png", "Latents in two dimensions")
        if figure is None:
            section.missing.append("There is no latent map yet.")
        else:
            section.blocks.append(Block(figure=figure))
        return section
    section.lead = str(sheet.about.get("note", ""))
    board = read_bytes(run.path / FOLDER / "latent_map.png")
    section.data["map"] = {
        "sprite": _as_webp(board),
        "points": _script_safe(_points(sheet)),
        "maps": list(sheet.about["maps"]),
        "factors": [f["name"] for f in sheet.about["factors"]],
        "count": len(sheet.pixels),
    }
    return section


def _points(sheet: Sheet) -> dict[str, Any]:
    factors = [
        {**factor, "colours": class_colours(factor["values"])} for factor in sheet.about["factors"]
    ]
    rows = -(-len(sheet.pixels) // sheet.cols)
    return {
        "maps": sheet.about["maps"],
        "factors": factors,
        "centres": {name: _centres(sheet, points) for name, points in sheet.about["maps"].items()},
        "generated": sheet.about["generated"],
        "cols": sheet.cols,
        "rows": rows,
    }


def _centres(sheet: Sheet, points: list[list[int]]) -> list[list[list[int] | None]]:
    """For each factor the median place of each value's pictures, None where it has none."""
    real = len(sheet.pixels) - sheet.about["generated"]
    places = np.array(points[:real]).reshape(-1, 2)
    found = []
    for factor in sheet.about["factors"]:
        count = len(factor["values"])
        known = class_centres(places, np.array(factor["of"][:real]), count)
        centres = [
            known[k].round().astype(int).tolist() if k in known else None for k in range(count)
        ]
        found.append(centres if 1 < count <= MOST_NAMED else [])
    return found


def _script_safe(tree: dict[str, Any]) -> str:
    """JSON that no label can break out of a <script> with."""
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _as_webp(png: bytes) -> str:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return data_uri(picture_bytes(pixels, ".webp", quality=72), "webp")
