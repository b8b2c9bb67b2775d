"""Make the pictures of the starter, train both its networks, and write their weights.

    python -m bench.starter --photographs DIR --work DIR [--images N] [--latents N] [--out DIR]

With --keep-autoencoder the autoencoder in the package stays, and its denoiser is trained anew.

The pictures: crops of photographs that are free to use, at all scales and in other colours;
overlapping random shapes ("dead leaves"); and the program's own rendered flowers and faces. No
picture of a published data set is used. docs/explanation/starter.md lists the photographs.
"""

from __future__ import annotations

import argparse
import colorsys
import math
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from latentbloom.fitting.pipeline import fit
from latentbloom.fitting.planning.choices import STEM
from latentbloom.model.starter import STARTER, STARTER_DENOISER, UNASKED, compressed
from latentbloom.model.warm_start import OBJECTIVE
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.synthetic.faces import render_face
from latentbloom.synthetic.flowers import COLOURS, SPECIES, render_flower

SIZE = 64
CROPS, SHAPES, FLOWERS, FACES = 9000, 4500, 4500, 2250
IMAGES, LATENTS = 120_000, 700_000
KEPT = 32  # images in stage 1 where the autoencoder stays: a step at the lowest rate
HELD_OUT = 40  # one picture of so many

# Names begin so; the second list is used twice as often at its first two, which are small.
WALLPAPERS = (
    "Picture_0B",
    "Picture_1A",
    "Wine",
    "aitzgorri",
    "friends",
    "life",
    "picosdeeuropa",
    "seeding",
    "sunset",
    "umang",
)
OTHERS = ("astronaut", "chelsea", "coffee", "rocket", "astronaut", "chelsea")


def photographs(folder: Path) -> list[Image.Image]:
    """The photographs, RGB.

    Raises:
        FileNotFoundError: One is missing.
    """
    found = []
    for name in (*WALLPAPERS, *OTHERS):
        paths = sorted(p for p in folder.rglob(f"{name}*") if p.suffix in (".jpg", ".png"))
        if not paths:
            raise FileNotFoundError(f"{folder} holds no {name}*.jpg or .png.")
        found.append(Image.open(paths[0]).convert("RGB"))
    return found


def crop(rng: np.random.Generator, photograph: Image.Image) -> np.ndarray:
    """A random square of random side, at `SIZE`; uint8 (SIZE, SIZE, 3)."""
    width, height = photograph.size
    whole = min(width, height)
    side = int(math.exp(rng.uniform(math.log(min(96, whole // 2)), math.log(whole))))
    x, y = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
    method = Image.Resampling.BOX if side > 2 * SIZE else Image.Resampling.LANCZOS
    part = photograph.crop((int(x), int(y), int(x) + side, int(y) + side))
    return np.asarray(part.resize((SIZE, SIZE), method))


def recolour(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Other colours, contrast and brightness; uint8 (SIZE, SIZE, 3)."""
    x = pixels.astype(np.float32) / 255
    if rng.random() < 0.5:
        x = x[..., rng.permutation(3)]
    mean = x.mean((0, 1))
    x = mean + (x - mean) * rng.uniform(0.7, 1.5)
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.5, 1.6)
    x = np.clip(x + rng.uniform(-0.1, 0.1), 0, 1) ** math.exp(rng.uniform(-0.4, 0.4))
    return (x * 255).astype(np.uint8)


def noise(rng: np.random.Generator, side: int, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency to the `slope`, of unit variance (side, side)."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    radius[0, 0] = 1
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) * radius ** (-slope / 2)
    spectrum[0, 0] = 0
    found = np.fft.ifft2(spectrum).real
    return (found / found.std()).astype(np.float32)


def shapes(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Shapes that cover each other, shaded and textured; uint8 (SIZE, SIZE, 3).

    Sizes follow a power law, as those of things in photographs do. Source: Lee et al. 2001,
    doi:10.1023/A:1011109015675.

    Arguments:
        rng: Decides everything.
        palette: Colours (N, 3) in [0, 1].
    """
    side = 2 * SIZE
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    picture = np.empty((side, side, 3), np.float32)
    picture[:] = palette[rng.integers(len(palette))]
    textures = [noise(rng, side, slope) for slope in (1.0, 2.0, 3.0)]
    soft = rng.random() < 0.4
    least, most = math.exp(rng.uniform(1.2, 3)), rng.uniform(40, 110)
    for _ in range(int(rng.integers(15, 150))):
        radius = (most**-2 + rng.random() * (least**-2 - most**-2)) ** -0.5
        x, y = rng.uniform(-0.1 * side, 1.1 * side, 2)
        turn, aspect = rng.uniform(0, 2 * math.pi), math.exp(rng.uniform(-1, 0))
        reach = int(radius * 1.5) + 2
        left, right = max(0, int(x) - reach), min(side, int(x) + reach)
        top, bottom = max(0, int(y) - reach), min(side, int(y) + reach)
        if left >= right or top >= bottom:
            continue
        near = slice(top, bottom), slice(left, right)
        dx, dy = columns[near] - x, rows[near] - y
        cos, sin = math.cos(turn), math.sin(turn)
        u, v = (cos * dx + sin * dy) / radius, (-sin * dx + cos * dy) / (radius * aspect)
        outside = _outline(rng, u, v, textures[1][near])
        blurred = soft and rng.random() < 0.5
        edge = radius * (rng.uniform(0.05, 0.8) if blurred else 1 / radius)
        cover = np.clip(0.5 - outside * radius / max(edge, 1.0), 0, 1)[..., None]
        colour = palette[rng.integers(len(palette))] + rng.normal(0, 0.03, 3)
        light = rng.uniform(0, 0.5) * (u * math.cos(turn) + v * math.sin(turn))
        texture = rng.uniform(0, 0.25) * textures[rng.integers(3)][near]
        if rng.random() < 0.25:
            strength, pitch, phase = (rng.uniform(*r) for r in ((0.05, 0.3), (4, 25), (0, 6)))
            texture = texture + strength * np.sin(u * pitch + phase)
        paint = colour * (1 + 0.5 * (light + texture))[..., None]
        picture[near] = picture[near] * (1 - cover) + paint * cover
    small = picture.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
    return (np.clip(small, 0, 1) * 255).astype(np.uint8)


def _outline(
    rng: np.random.Generator, u: np.ndarray, v: np.ndarray, texture: np.ndarray
) -> np.ndarray:
    """A disk, a box, a diamond, a flower or a blot: negative inside, positive outside."""
    kind = rng.integers(5)
    if kind == 0:
        return np.hypot(u, v) - 1
    if kind == 1:
        return np.maximum(abs(u), abs(v)) - 0.9
    if kind == 2:
        return abs(u) + abs(v) - 1.1
    if kind == 3:
        petals = np.cos(int(rng.integers(3, 12)) * np.arctan2(v, u))
        return np.hypot(u, v) - (0.75 + 0.25 * petals)
    return np.hypot(u, v) - 1 + 0.25 * texture


def _palette(rng: np.random.Generator, photos: list[np.ndarray]) -> np.ndarray:
    """16 colours, of a photograph or at random, float32 (16, 3)."""
    if rng.random() < 0.5:
        colours = photos[rng.integers(len(photos))]
    else:
        hues = [(rng.random(), rng.beta(1.2, 1.8), rng.beta(2, 1.5)) for _ in range(12)]
        colours = np.stack([np.array(colorsys.hsv_to_rgb(*hsv)) for hsv in hues])
    if rng.random() < 0.5:
        colours = colours[..., rng.permutation(3)]
    return colours[rng.integers(0, len(colours), 16)].astype(np.float32)


def pictures(
    photos: list[Image.Image],
    counts: tuple[int, int, int, int] = (CROPS, SHAPES, FLOWERS, FACES),
) -> np.ndarray:
    """All pictures: crops, shapes, flowers, faces, in this order; uint8 (N, SIZE, SIZE, 3)."""
    rng = np.random.default_rng(0)
    colours = [np.asarray(p.resize((64, 64))).reshape(-1, 3) / 255.0 for p in photos]
    found = []
    for k in range(counts[0]):
        one = crop(rng, photos[k % len(photos)])
        found.append(recolour(rng, one) if k % 3 else one)
    found += [shapes(rng, _palette(rng, colours)) for _ in range(counts[1])]
    for _ in range(counts[2]):
        species = SPECIES[rng.integers(len(SPECIES))]
        found.append(render_flower(species, COLOURS[rng.integers(len(COLOURS))], rng, SIZE))
    for _ in range(counts[3]):
        smiles, glasses = bool(rng.integers(2)), bool(rng.integers(2))
        found.append(render_face(smiles, glasses, rng, SIZE))
    return np.stack(found)


def write_pictures(pixels: np.ndarray, folder: Path) -> None:
    """PNG files, labelled by kind: the denoiser learns with conditions, which are not kept."""
    kinds = np.repeat(["crop", "shape", "flower", "face"], [CROPS, SHAPES, FLOWERS, FACES])
    for k, (one, kind) in enumerate(zip(pixels, kinds, strict=True)):
        place = folder / ("train" if k % HELD_OUT else "val") / str(kind)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(place / f"{k:05d}.png", compress_level=1)


def main() -> int:
    """Make, train, write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.starter", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--photographs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--work", type=Path, required=True, help="for the pictures and the run")
    parser.add_argument("--images", type=int, default=IMAGES, help="that stage 1 sees")
    parser.add_argument("--latents", type=int, default=LATENTS, help="that stage 2 sees")
    parser.add_argument("--keep-autoencoder", action="store_true")
    parser.add_argument("--out", type=Path, default=STARTER.parent, help="default: the package")
    args = parser.parse_args()
    folder, run = args.work / "pictures", args.work / "run"
    if not folder.exists():
        write_pictures(pictures(photographs(args.photographs)), folder)
    kept = args.keep_autoencoder
    sizes = {"autoencoder.width": 48, "denoiser.width": 192, "denoiser.depth": 4}
    settings = {
        **sizes,
        "denoiser.stem": STEM,
        "train.vae_gan_images": KEPT if kept else args.images,
        "train.diffusion_images": args.latents,
        "train.minutes": None,
        "train.starter": kept,
        "diffusion.self_guidance": 1.0,  # runs that start from it have guidance of their own
        "sampling.tune_guidance": False,
    }
    fit(folder, out=run, overrides=settings, console=Console())
    if not kept:
        write_autoencoder(run, args.out / STARTER.name)
    write_denoiser(run, args.out / STARTER_DENOISER.name)
    return 0


def write_autoencoder(run: Path, place: Path) -> None:
    """The autoencoder of a finished run, in half precision."""
    tensors, meta = load_checkpoint(RunFolder(run).autoencoder, ["model"])
    half = {name: tensor.half() for name, tensor in tensors["model"].items()}
    save_checkpoint(place, {"model": half}, {"config": meta["config"]})


def write_denoiser(run: Path, place: Path) -> None:
    """The denoiser of a finished run, compressed; of its table of conditions, the row "any"."""
    tensors, meta = load_checkpoint(RunFolder(run).final_denoiser, ["model"])
    weights = tensors["model"]
    shared = {name: tensor for name, tensor in weights.items() if "tables." not in name}
    (table,) = (tensor for name, tensor in weights.items() if "tables." in name)
    shared[UNASKED] = table[-1]
    objective = {name: meta["settings"][name] for name in OBJECTIVE}
    about = {"config": meta["config"], "settings": objective}
    save_checkpoint(place, {"model": compressed(shared)}, about)


if __name__ == "__main__":
    raise SystemExit(main())
