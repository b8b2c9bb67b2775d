"""Sections about sampling: denoising steps, grids, edits, and nearest training pictures."""

from __future__ import annotations

from latentbloom.figures.sheets import Sheet
from latentbloom.report.embed import embed_file, sheet_rows, strip
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Block, Section

_KINDS = {
    "x_t": "the noisy latent at this step (x_t)",
    "x0_hat": "the denoiser's prediction of the final latent (x0_hat)",
}


def steps_section(run: RunFiles) -> Section:
    """One sample of each condition at every step, under a slider, and the newest path figure."""
    section = Section("steps", "From noise to picture", short="Denoising")
    sheets = {what: Sheet.load(run.path, f"denoising_{what}") for what in _KINDS}
    found = {what: sheet for what, sheet in sheets.items() if sheet is not None}
    if not found:
        section.missing.append("There are no denoising steps yet.")
        return section
    first = next(iter(found.values()))
    section.lead = "The same noise, denoised step by step for each condition. Move the slider."
    section.data["steps"] = {
        "count": first.cols,
        "times": first.about.get("t", []),
        "kinds": [
            {
                "name": what,
                "words": _KINDS[what],
                "strips": [
                    {"label": label, "src": strip(sheet.row(r))}
                    for r, label in enumerate(sheet.rows)
                ],
            }
            for what, sheet in found.items()
        ],
    }
    drawn = sorted(
        run.path.glob("figures/denoising_path_*.png"), key=lambda p: (p.stat().st_mtime_ns, p.name)
    )
    for path in drawn[-1:]:  # the newest; figures of other conditions are in the same folder
        word = path.stem.removeprefix("denoising_path_")
        alt = f"Steps from noise to {word}, and their path on the latent map"
        section.blocks.append(Block(figure=embed_file(path, alt)))
    return section


def grids_section(run: RunFiles) -> Section:
    """Grids in which one condition or setting changes."""
    section = Section("grids", "One change at a time", short="Grids")
    names = sorted(p.stem for p in run.path.glob("figures/data/factors_*.json"))
    kinds = [*names, "interpolation", "guidance_by_steps"]
    headings = {"interpolation": "Interpolation", "guidance_by_steps": "Guidance by steps"}
    for name in kinds:
        sheet = Sheet.load(run.path, name)
        if sheet is None:
            continue
        rows = sheet_rows(sheet, "Picture")
        rows["heads"] = sheet.about.get("heads", [])
        rows["all"] = True
        rows["wide"] = sheet.pixels.shape[2] > sheet.pixels.shape[1]
        heading = headings.get(name) or str(sheet.about.get("title", name))
        section.blocks.append(Block(heading, str(sheet.about.get("note", "")), rows))
    if not section.blocks:
        section.missing.append("There are no grids of factors, interpolation or guidance yet.")
    return section


def edit_section(run: RunFiles) -> Section:
    """Held-out pictures with one condition changed."""
    section = Section("edits", "Real pictures, edited", short="Edits")
    sheet = Sheet.load(run.path, "edits")
    if sheet is None:
        section.missing.append("No real pictures have been edited yet.")
        return section
    rows = sheet_rows(sheet, "Edit")
    rows["heads"] = sheet.about.get("heads", [])
    rows["all"] = True
    rows["captions"] = True
    for r, row in enumerate(rows["rows"]):
        known = sheet.pictures[r * sheet.cols : (r + 1) * sheet.cols]
        row["captions"] = [str(p.get("caption", "")) for p in known]
    section.blocks.append(Block("", str(sheet.about.get("note", "")), rows))
    return section


def neighbour_section(run: RunFiles) -> Section:
    """Samples beside their nearest training pictures, and the closest of all scored samples."""
    section = Section("neighbours", "Nearest training pictures", short="Neighbours")
    sheet = Sheet.load(run.path, "neighbours")
    if sheet is not None:
        rows = sheet_rows(sheet, "Picture")
        rows["all"] = True
        rows["captions"] = True
        for r, row in enumerate(rows["rows"]):
            known = sheet.pictures[r * sheet.cols : (r + 1) * sheet.cols]
            row["captions"] = [str(p.get("caption", "")) for p in known]
        section.blocks.append(Block("", str(sheet.about.get("note", "")), rows))
    alt = "The scored samples nearest to a training picture, above that picture"
    worst = embed_file(run.path / "figures" / "copies.png", alt)
    if worst is not None:
        section.blocks.append(Block("Closest of all scored samples", figure=worst))
    if not section.blocks:
        section.missing.append("The nearest training pictures have not been searched yet.")
    return section
