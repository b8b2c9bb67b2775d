"""The denoising steps of the report: a slider from noise to picture."""

from __future__ import annotations

from latentbloom.figures.sheets import Sheet
from latentbloom.report.embed import embed_file, sheet_rows, strip
from latentbloom.report.run_files import RunFiles
from latentbloom.report.sections import Block, Section

_KINDS = {
    "x_t": "where the path is (x_t)",
    "x0_hat": "the picture that the denoiser sees in it (x0_hat)",
}


def steps_section(run: RunFiles) -> Section:
    """One sample of each condition at every step, under a slider, and the paths as figures."""
    section = Section("steps", "From noise to picture", short="Denoising")
    sheets = {what: Sheet.load(run.path, f"denoising_{what}") for what in _KINDS}
    found = {what: sheet for what, sheet in sheets.items() if sheet is not None}
    if not found:
        section.missing.append("The denoising steps have not been drawn.")
        return section
    first = next(iter(found.values()))
    section.lead = (
        "The same noise, taken step by step to a picture of each condition. Move the slider."
    )
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
    for path in drawn[-1:]:  # the newest; those of other conditions lie beside it
        word = path.stem.removeprefix("denoising_path_")
        alt = f"Steps from noise to {word}, and their way through the latent map"
        section.blocks.append(Block(figure=embed_file(path, alt)))
    return section


def grids_section(run: RunFiles) -> Section:
    """Grids in which one thing changes."""
    section = Section("grids", "One thing changes", short="Grids")
    names = sorted(p.stem for p in run.path.glob("figures/data/factors_*.json"))
    kinds = [*names, "interpolation", "guidance_by_steps"]
    headings = {"interpolation": "In between", "guidance_by_steps": "Guidance by steps"}
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
        section.missing.append("No grids of guidance, factors or in-betweens have been drawn.")
    return section


def neighbour_section(run: RunFiles) -> Section:
    """Samples beside their nearest training pictures, and those that come nearest of all."""
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
    alt = "The scored samples that come nearest to training pictures, above those"
    worst = embed_file(run.path / "figures" / "copies.png", alt)
    if worst is not None:
        section.blocks.append(Block("Nearest of all that were scored", figure=worst))
    if not section.blocks:
        section.missing.append("Nearest training pictures have not been searched.")
    return section
