"""The result of an edit: pictures before and after, with what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import condition_word, file_word, write_atomic, write_json

if TYPE_CHECKING:
    import numpy as np
    import torch

DESCRIPTIONS = "edits.json"


@dataclass(frozen=True)
class EditRecord:
    """One edited picture.

    Attributes:
        image: The result, uint8 (H, W, C).
        original: The picture that was given, uint8 (H, W, C).
        source: What the original shows, a word for each factor; "any" where it does not matter.
        cond: What the result shall show, likewise.
        confidence: For each factor whose source value was found by the model, its probability in
            [0, 1]; factors whose value was given are left out.
        strength: How far the edit went, in [0, 1].
        z: Normalised latent (C, h, w) of the original.
        z_edited: That of the result.
        index: Number of the picture in the request.
    """

    image: np.ndarray
    original: np.ndarray
    source: dict[str, str]
    cond: dict[str, str]
    confidence: dict[str, float]
    strength: float
    z: torch.Tensor
    z_edited: torch.Tensor
    index: int

    @property
    def changed(self) -> dict[str, tuple[str, str]]:
        """For each factor that was changed, the words before and after."""
        return {
            name: (self.source[name], word)
            for name, word in self.cond.items()
            if self.source[name] != word
        }

    @property
    def unchanged(self) -> bool:
        """Whether the picture shows what was asked for already, and was left as it is."""
        return not self.changed


class EditRecords(Sequence[EditRecord]):
    """The edited pictures of one request, in order.

    Arguments:
        records: The pictures.
        settings: How they were made (method, strength, guidance, seed), for `edits.json`.
    """

    def __init__(self, records: Sequence[EditRecord], settings: Mapping[str, float | str]) -> None:
        self._records = list(records)
        self.settings = dict(settings)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> EditRecord: ...

    @overload
    def __getitem__(self, index: slice) -> EditRecords: ...

    def __getitem__(self, index: int | slice) -> EditRecord | EditRecords:
        if isinstance(index, slice):
            return EditRecords(self._records[index], self.settings)
        return self._records[index]

    def __iter__(self) -> Iterator[EditRecord]:
        return iter(self._records)

    @property
    def pixels(self) -> torch.Tensor:
        """All results as uint8 (n, C, H, W)."""
        import numpy as np
        import torch

        stacked = np.stack([record.image for record in self._records])
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()

    @property
    def images(self) -> torch.Tensor:
        """All results as float (n, C, H, W) in [-1, 1]."""
        from latentbloom.data.pixels import to_float

        return to_float(self.pixels)

    def save(self, folder: Path | str, names: Sequence[str] | None = None) -> list[Path]:
        """Write each result as PNG, and describe it in `edits.json`, beside what stands there.

        Arguments:
            folder: Where to; made if it is missing.
            names: A name without ending for each picture, for example that of its file; default
                its number. The value that was asked for and the strength are added.

        Returns:
            The pictures' paths, in order.
        """
        from PIL import Image

        folder = Path(folder)
        stems = [f"{r.index:04d}" for r in self._records] if names is None else list(names)
        paths, taken, described = [], set[str](), _described(folder / DESCRIPTIONS)
        for stem, record in zip(stems, self._records, strict=True):
            asked = [word for name in record.changed for word in (name, record.cond[name])]
            words = f"{condition_word(asked, most=72)}_{record.strength:g}" if asked else "same"
            name = _free(f"{file_word(stem, most=60)}_{words}", taken)
            image = record.image[..., 0] if record.image.shape[-1] == 1 else record.image
            paths.append(write_atomic(folder / f"{name}.png", Image.fromarray(image).save))
            described[paths[-1].name] = {
                "from": record.source,
                "to": record.cond,
                "confidence": {k: round(p, 4) for k, p in record.confidence.items()},
                **self.settings,
            }
        rows = [{"file": name, **about} for name, about in described.items()]
        write_json(folder / DESCRIPTIONS, {"pictures": rows})
        return paths


def _described(path: Path) -> dict[str, dict[str, Any]]:
    """What earlier edits left in a folder, by file; nothing where that cannot be read."""
    try:
        rows = read_json(path, folder=path.parent)["pictures"]
        return {row.pop("file"): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken on a file system that ignores case."""
    found, number = name, 2
    while found.casefold() in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found.casefold())
    return found
