"""Train both stages, or resume from a checkpoint: `python main.py --help`."""

from __future__ import annotations

import argparse
import sys


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line as keywords of `latentbloom.compat.main`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total_epochs", type=float, default=1200, help="for each stage")
    parser.add_argument("--checkpoint_path", help="a conditional_diffusion_epoch_N to resume from")
    parser.add_argument(
        "--dataset",
        default="celeba-smiling-classic",
        help="a preset that names its pictures (`latentbloom presets`), a folder, or a source",
    )
    parser.add_argument("--root", help="folder that holds celeba or flowers102, for a new run")
    parser.add_argument("--save_dir", default="./results", help="run folder")
    parser.add_argument("--visualize_every", type=int, default=50, help="epochs")
    parser.add_argument("--checkpoint_every", type=int, default=200, help="epochs")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    from latentbloom.compat import main as train
    from latentbloom.errors import LatentbloomError

    asked = vars(parse(words))
    root = asked.pop("root")
    try:
        train(**asked, overrides={"data.root": root} if root else None)
    except LatentbloomError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
