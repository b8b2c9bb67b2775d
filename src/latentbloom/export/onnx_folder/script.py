"""Sample pictures from an exported model. Needs numpy and onnxruntime, nothing else.

    python sample.py --cond NAME=VALUE -n 16 --seed 0 --out pictures

Picture k of a seed depends on the seed and on k alone. It is the picture that
`latentbloom sample --seed` makes, up to rounding.
"""

from __future__ import annotations

import argparse
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from latentbloom.export.onnx_folder.sampler import Sampler, noise_for


def png(image: np.ndarray) -> bytes:
    """A picture, uint8 (H, W, 1 or 3), as a PNG file."""
    height, width, channels = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in image)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def main() -> int:
    """Read the command line, sample, and write the pictures."""
    parser = argparse.ArgumentParser(description="Sample pictures from this folder's model.")
    parser.add_argument("--cond", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-n", type=int, default=16, help="number of pictures (default: 16)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="default: the model's")
    parser.add_argument("--steps", type=int, help="default: the model's")
    parser.add_argument("--sampler", help="dpm++, unipc or ddim (default: the model's)")
    parser.add_argument("--quality", help="draft, balanced or best, if they were measured")
    parser.add_argument("--out", type=Path, default=Path("pictures"))
    args = parser.parse_args()
    if args.n < 1:
        parser.error(f"-n is {args.n}; at least 1 picture can be asked for.")
    model = Sampler(Path(__file__).resolve().parent)
    settings = model.about["sampling"]
    if args.quality and args.quality not in settings:
        parser.error(f"'{args.quality}' is not known here. Known: {', '.join(settings)}.")
    chosen = settings[args.quality or "default"]
    try:
        words = _words(args.cond, [factor["name"] for factor in model.factors])
        rows = np.tile(np.array(model.indices(words), np.int64), (args.n, 1))
        table = model.table(args.sampler or chosen["sampler"], args.steps or chosen["num_steps"])
    except ValueError as error:
        parser.error(str(error))
    guidance = chosen["guidance"] if args.guidance is None else args.guidance
    args.out.mkdir(parents=True, exist_ok=True)
    for first in range(0, args.n, 16):
        part = list(range(first, min(first + 16, args.n)))
        noise = noise_for(args.seed, part, model.about["latent_shape"])
        z = model.latents(noise, rows[: len(part)], guidance=guidance, table=table)
        for index, image in zip(part, model.decode(z), strict=True):
            (args.out / f"seed{args.seed}_{index:04d}.png").write_bytes(png(image))
    print(f"{args.n} pictures in {args.out}")
    return 0


def _words(asked: list[str], names: list[str]) -> dict[str, str]:
    """NAME=VALUE, several times; names may hold equals signs."""
    words = {}
    for text in asked:
        known = [name for name in names if text.startswith(f"{name}=")]
        name = max(known, key=len) if known else text.partition("=")[0]
        if "=" not in text:
            raise ValueError(f"'{text}' is not NAME=VALUE.")
        words[name] = text[len(name) + 1 :]
    return words


if __name__ == "__main__":
    sys.exit(main())
