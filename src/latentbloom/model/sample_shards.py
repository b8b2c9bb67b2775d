"""Very many samples as tar files, by any number of machines that know nothing of each other."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.foreign.json_files import read_json
from latentbloom.runs.checkpoint import fingerprint
from latentbloom.storage.disk import remove
from latentbloom.storage.files import write_atomic, write_json, write_tar

if TYPE_CHECKING:
    from latentbloom.model.generator import Model
    from latentbloom.model.records import Record

GROUP = 1000
"""Pictures in a tar file. It is the same for everybody, so that the files of all shards fit."""

ABOUT = "samples.json"


@dataclass(frozen=True)
class Shard:
    """The share of one worker.

    Attributes:
        number: Which one, from 1.
        count: Of how many.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2/8".

        Raises:
            ConfigError: It is not that, or the number is not in 1 ... count.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ConfigError(
                f"The shard is '{text}'; give it as NUMBER/COUNT with a number from 1 to the "
                "count, such as 1/4 on the first of four machines."
            )
        return cls(int(found[1]), int(found[2]))

    def groups(self, n: int) -> Iterator[range]:
        """The numbers of this shard's pictures of `n`, a range for each file: every count-th."""
        for first in range((self.number - 1) * GROUP, n, self.count * GROUP):
            yield range(first, min(first + GROUP, n))


def sample_shard(
    model: Model,
    folder: Path,
    shard: Shard,
    *,
    cond: Mapping[str, str],
    n: int,
    seed: int,
    settings: Mapping[str, Any],
    on_file: Callable[[Path, bool], object] = lambda path, new: None,
) -> int:
    """Sample one shard of `n` pictures into tar files; those that exist are left as they are.

    Picture k depends on the seed and on k alone, so the files of all shards together are the same
    whoever makes them, however many shards there are. A tar file holds `NAME.png` and `NAME.json`
    for each picture, as WebDataset reads them.

    Arguments:
        model: Samples.
        folder: Receives the files, and `samples.json`, which says what they are. All shards may
            share it.
        shard: Which part.
        cond: Words by factor.
        n: Pictures of all shards together.
        seed: Of all pictures.
        settings: Arguments of `Model.sample`, such as guidance and num_steps.
        on_file: Called with each file, and whether it was made now.

    Returns:
        How many pictures were sampled now.

    Raises:
        RunFolderError: The folder holds samples of something else.
    """
    _check_same(folder, {"cond": dict(cond), "seed": seed, **_told(model, settings)})
    made = 0
    for numbers in shard.groups(n):
        path = folder / f"seed{seed}_{numbers.start:09d}-{numbers.stop - 1:09d}.tar"
        # A request for fewer pictures may have ended inside this file, one for more may hold it.
        others = sorted(folder.glob(f"seed{seed}_{numbers.start:09d}-*.tar"))
        new = not others or others[-1].name < path.name
        if new:
            records = model.sample(dict(cond), seed=seed, indices=numbers, **settings)
            write_atomic(path, _tar_writer(records))
            made += len(records)
            for shorter in others:
                remove(shorter)
        on_file(path, new)
    return made


def _told(model: Model, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the pictures depend on beside conditions and seed."""
    from latentbloom.diffusion.sampling import suited_sampler

    usual = model.config.sampling
    num_steps = settings.get("num_steps") or usual.num_steps
    named = {
        "sampler": suited_sampler(usual.sampler, num_steps),
        "num_steps": usual.num_steps,
        "guidance": usual.guidance,
        "guidance_interval": usual.guidance_interval,
    }
    given = {name: settings[name] for name in named if settings.get(name) is not None}
    networks = {"denoiser": model.denoiser.backbone, "autoencoder": model.autoencoder}
    weights = fingerprint(
        {f"{of}.{k}": v for of, net in networks.items() for k, v in net.state_dict().items()}
    )
    return json.loads(json.dumps({"model": weights, **named, **given}))


def _check_same(folder: Path, about: dict[str, Any]) -> None:
    path = folder / ABOUT
    if not path.exists():
        write_json(path, about)
        return
    try:
        found = read_json(path, folder=path.parent)
    except ValueError:
        raise RunFolderError(f"{path} is not JSON. Remove it, or give another --out.") from None
    if found != about:
        known = found if isinstance(found, dict) else {}
        different = [key for key in about if known.get(key) != about[key]]
        raise RunFolderError(
            f"{folder} holds samples with another {' and '.join(different)}. Give another --out."
        )


def _tar_writer(records: Iterable[Record]) -> Callable[[Path], None]:
    return lambda path: write_tar(path, _members(records))


def _members(records: Iterable[Record]) -> Iterator[tuple[str, bytes]]:
    from PIL import Image

    for record in records:
        picture = io.BytesIO()
        image = record.image[..., 0] if record.image.shape[-1] == 1 else record.image
        Image.fromarray(image).save(picture, "PNG")
        about = {"cond": record.cond, "seed": record.seed, "index": record.index}
        words = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
        yield f"{record.index:09d}.png", picture.getvalue()
        yield f"{record.index:09d}.json", words
