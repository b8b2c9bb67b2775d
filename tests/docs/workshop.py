"""Where the documentation's code blocks run: small pictures, small models, the real program."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentbloom.cli.main import COMMANDS, command_module, main
from tests.tiny_run import TINY

ROOT = Path(__file__).resolve().parent.parent.parent
TINY_RUN = {
    **TINY,
    "data.channels": 3,
    "autoencoder.base_width": 8,
    "train.vae_gan_images": 16,
    "train.diffusion_images": 16,
    "sampling.tune_guidance": False,
}
"""What a `fit` of the documentation takes where it says nothing else."""

BUDGETS = {
    "--minutes": None,
    "--images-1": "16",
    "--images-2": "16",
    "--train.vae_gan_epochs": "0.5",
    "--train.diffusion_epochs": "0.5",
    "--train.checkpoint_epochs": "1",
    "--train.visualize_epochs": "1",
}
"""Options whose values are hours, and what stands for them here."""

ELSEWHERE = re.compile(
    r"curl |pip install |pipx run |uvx |eval |python -m venv |pre-commit |pytest |"
    r"\. \.venv/bin/activate|\.venv\\Scripts|make "
)
"""Commands of other programs, which the documentation may name and which are not run."""

COLOURS = {"red": (215, 30, 35), "yellow": (245, 220, 30)}


def furnish(folder: Path) -> None:
    """Make the pictures that the documentation speaks of: discs of two sizes and two colours."""
    rng = np.random.default_rng(0)
    (folder / "flowers" / "old").mkdir(parents=True)
    for label, radius in (("smiling", 12), ("not_smiling", 6)):
        for place in ("pictures", "others"):
            (folder / place / label).mkdir(parents=True)
            for number in range(90):
                colour = tuple(COLOURS)[number % 2]
                _disc(rng, radius, colour).save(folder / place / label / f"{number}.png")
    for species, radius in (("rose", 12), ("tulip", 6)):
        for colour in COLOURS:
            for number in range(44):
                name = f"{species}_{colour}_{number:03d}.png"
                _disc(rng, radius, colour).save(folder / "flowers" / name)
    for name, colour in (("me", "red"), ("friend", "yellow")):
        _disc(rng, 6, colour).resize((90, 120)).save(folder / f"{name}.jpg")


def _disc(rng: np.random.Generator, radius: int, colour: str) -> Image.Image:
    pixels = rng.normal(120, 12, (32, 32, 1)).repeat(3, axis=2)
    x, y = np.mgrid[:32, :32] - rng.integers(13, 19, (2, 1, 1))
    pixels[x**2 + y**2 < radius**2] = COLOURS[colour]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def commands(block: str) -> Iterator[list[str]]:
    """The lines of a shell block as words, continued lines joined, comments left out."""
    for line in block.replace("\\\n", " ").splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield shlex.split(line, comments=True) if "\\" not in line else [line]


def run(words: list[str]) -> None:
    """Run one command of the documentation on small data, or check it where it is not ours."""
    line = " ".join(words)
    if words[0] == "latentbloom":
        parse(words[1:])
        small = shrink(words[1:])
        try:
            code = main(small)
        except SystemExit as end:  # --help and --version
            code = int(end.code or 0)
        assert code == 0, f"`{line}`, run as `latentbloom {' '.join(small)}`, ended with {code}"
        return
    check(words)


def check(words: list[str]) -> None:
    """Parse a command without running it.

    Raises:
        AssertionError: It is not known, or an option of it is not.
    """
    line = " ".join(words)
    if words[0] == "latentbloom":
        parse(words[1:])
    elif words[0] == "torchrun":
        parse(words[words.index("latentbloom") + 1 :])
    elif words[:2] == ["python", "main.py"]:
        from main import parse as parse_main

        parse_main(words[2:])
    elif words[:2] == ["python", "-m"] and words[2].startswith("bench"):
        path = ROOT / (words[2].replace(".", "/") + ".py")
        assert path.is_file() or (ROOT / words[2] / "__main__.py").is_file(), line
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets, f"`{line}`: there is no such target"
    else:
        assert ELSEWHERE.match(line), f"`{line}`: tests/docs/workshop.py cannot check it"


def parse(words: list[str]) -> argparse.Namespace:
    """Parse the words after `latentbloom`; an unknown option fails."""
    if words[0].startswith("-"):
        return argparse.Namespace()
    assert words[0] in COMMANDS, f"there is no command '{words[0]}'"
    parsed, unknown = command_parser(words[0]).parse_known_args(words[1:])
    assert not unknown, f"`latentbloom {' '.join(words)}`: unknown {unknown}"
    return parsed


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of a command."""
    parser = argparse.ArgumentParser(prog=f"latentbloom {name}", allow_abbrev=False)
    command_module(name).add_arguments(parser)
    return parser


def shrink(words: list[str]) -> list[str]:
    """The same command on less data and for less time."""
    words = [re.sub(r"^synthetic-(\w+)$", r"synthetic-\1:96", word) for word in words]
    name = words[0]
    if name == "fit":
        found: list[str] = []
        rest = iter(words)
        for word in rest:
            if word in BUDGETS:
                next(rest)
                value = BUDGETS[word]
                found += [word, value] if value is not None else []
            else:
                found.append(word)
        given = {word.removeprefix("--") for word in found if word.startswith("--")}
        return found + [
            word
            for setting, value in tiny_settings(given).items()
            for word in (f"--{setting}", "none" if value is None else str(value))
        ]
    if name == "evaluate":
        words = _less(words, "-n", "16")
        return _less(words, "--per-label", "4")
    if name == "show" and len([word for word in words if not word.startswith("-")]) == 2:
        return [*words, "report"]  # the pages draw several of them one by one
    return words


def tiny_settings(given: set[str]) -> dict[str, Any]:
    """Settings that make a run tiny, without those that are given already."""
    settings = {name: value for name, value in TINY_RUN.items() if name not in given}
    for flag, setting in (
        ("images-1", "train.vae_gan_images"),
        ("images-2", "train.diffusion_images"),
        ("train.vae_gan_epochs", "train.vae_gan_images"),
        ("train.diffusion_epochs", "train.diffusion_images"),
        ("size", "data.size"),
        ("perceptual", "vae_gan.perceptual"),
    ):
        if flag in given:
            settings.pop(setting, None)
    return settings


def _less(words: list[str], option: str, value: str) -> list[str]:
    if option in words:
        place = words.index(option)
        return [*words[:place], option, value, *words[place + 2 :]]
    return [*words, option, value]
