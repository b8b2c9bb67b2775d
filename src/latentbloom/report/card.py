"""The model card: README.md of a run folder."""

from __future__ import annotations

import json
from pathlib import Path

from latentbloom.figures.sheets import Sheet
from latentbloom.report.facts import get, key_numbers, summary
from latentbloom.report.health import worries
from latentbloom.report.run_files import RunFiles, read_run
from latentbloom.storage.files import write_atomic

_FIGURES = (
    ("samples_by_condition.png", "Samples", "Samples, one row per condition"),
    ("reconstructions.png", "Reconstructions", "Originals above their reconstructions"),
    ("latent_map.png", "Latent map", "Latents of held-out pictures, in two dimensions"),
    ("autoencoder_losses.png", "Training of the autoencoder", "Losses by number of pictures seen"),
    ("diffusion_loss.png", "Training of the diffusion model", "Loss by number of pictures seen"),
)


def write_card(run: Path | str) -> Path:
    """Write run/README.md from the files of the run folder.

    Returns:
        Its path.

    Raises:
        RunFolderError: The folder does not exist, or is not a run folder.
    """
    found = read_run(run)
    return write_atomic(found.path / "README.md", card_text(found).encode("utf-8"))


def card_text(run: RunFiles) -> str:
    """The card as Markdown."""
    name = run.path.resolve().name
    lines = [f"# {_plain(name)}", "", _plain(" ".join(summary(run))), ""]
    for file, heading, alt in _FIGURES[:1]:
        lines += _figure(run, file, heading, alt)
    numbers = key_numbers(run)
    if numbers:
        lines += ["| score | value | how to read it |", "| --- | --- | --- |"]
        lines += [_plain(f"| {n.label} | **{n.value}** | {n.hint} |") for n in numbers]
        lines.append("")
    lines += ["## Use", "", "```python", "import latentbloom", ""]
    lines += [f"model = latentbloom.load({_text(name)})", _sample_line(run), "```", ""]
    lines += ["## Limitations", ""]
    lines += [f"- {_plain(text)}" for text in worries(run)] or ["- Nothing stands out."]
    lines += [
        "- The model reproduces the gaps and biases of its training pictures. A label means what "
        "the people who assigned it meant.",
        "- Generated pictures do not show real events or real people.",
        "",
    ]
    for file, heading, alt in _FIGURES[1:]:
        lines += _figure(run, file, heading, alt)
    lines += ["## Files", "", *_file_lines(run), ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that no label can make markup of."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _in_code(text: object) -> str:
    """Text that cannot end a code span."""
    return str(text).replace("`", "'")


def _text(word: object) -> str:
    """A Python string in double quotes."""
    return json.dumps(str(word), ensure_ascii=False)


def _figure(run: RunFiles, file: str, heading: str, alt: str) -> list[str]:
    if not (run.path / "figures" / file).is_file():
        return []
    return [f"## {heading}", "", f"![{alt}](figures/{file})", ""]


def _sample_line(run: RunFiles) -> str:
    sheet = Sheet.load(run.path, "samples_by_condition")
    words = next((p.get("cond") for p in sheet.pictures if p.get("cond")), {}) if sheet else {}
    asked = "{" + ", ".join(f"{_text(k)}: {_text(v)}" for k, v in words.items()) + "}"
    return f"pictures = model.sample(cond={asked}, n=16, seed=0)"


def _file_lines(run: RunFiles) -> list[str]:
    known = {
        "vae_gan_final": "the autoencoder",
        "conditional_diffusion_final": "the denoiser",
        "decoder_final": "the decoder after stage 3",
        "config.json": "settings of the run",
        "audit.json": "audit of the data",
        "metrics.jsonl": "losses and scores over time",
        "scores.json": "scores of the finished model",
        "report.html": "everything on one page",
    }
    source = get(run.config, "data.source")
    lines = [f"- `{name}`: {what}" for name, what in known.items() if (run.path / name).exists()]
    return lines + ([f"- data: `{_in_code(source)}`"] if source else [])
