"""`model.edit`, `model.edit_strip`, `model.morph`, `model.find_source`, `model.directions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from latentbloom.conditions import ANY
from latentbloom.data.pixels import to_uint8
from latentbloom.errors import check_count, check_number
from latentbloom.model.editing.centres import Directions, directions_of
from latentbloom.model.editing.defaults import STRENGTH, STRIP
from latentbloom.model.editing.edit_input import (
    Words,
    check_pictures,
    require_values,
    rows_of_words,
)
from latentbloom.model.editing.edit_records import EditRecord, EditRecords
from latentbloom.model.editing.methods import LatentEdit, find_method
from latentbloom.model.editing.morph import morph
from latentbloom.model.editing.shown import changed_picture
from latentbloom.model.editing.source_values import probabilities_of
from latentbloom.model.latent_model import LatentModel

if TYPE_CHECKING:
    from latentbloom.conditions import Cond


class EditingModel(LatentModel):
    """What a model does with real pictures. `Model` inherits it."""

    def edit(
        self,
        images: Tensor,
        to: Words,
        *,
        strength: float = STRENGTH,
        source: Words | None = None,
        method: str = "flowedit",
        guidance: float | None = None,
        seed: int = 0,
        raw: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> EditRecords:
        """Change what real pictures show, and keep the rest.

        What is shown is original + D(z') - D(z): the decoder's D loss of detail cancels. Where
        shapes change, it is D(z'); see `changed_picture`. A picture that shows what is asked for
        already stays as it is.

        Arguments:
            images: Pictures (B, C, H, W) of the model's size and channels: uint8, or float in
                [-1, 1]. `fit_picture` makes them of any picture.
            to: What to change, words by factor, for example {"smiling": "yes"}; or one such dict a
                picture. Factors left out stay as they are.
            strength: How far to go, in [0, 1]: 0 changes nothing.
            source: What the pictures show, likewise. Factors left out are found by the model; the
                records say with which probability.
            method: A name in `METHODS`.
            guidance: w >= 0 for the factors that change; 1 is none; default the method's.
            seed: Any integer; decides the noises.
            raw: Show D(z') instead.
            on_progress: Called after each picture with how many are done, and how many there are.

        Returns:
            A record for each picture, in order.

        Raises:
            ConditionError: A factor or a value is unknown, or there is nothing to change.
            ConfigError: The pictures do not fit the model, the method is unknown, or a number is
                out of range.
        """
        return self.edit_strip(
            images,
            to,
            strengths=[strength],
            source=source,
            method=method,
            guidance=guidance,
            seed=seed,
            raw=raw,
            on_progress=on_progress,
        )[0]

    def edit_strip(
        self,
        images: Tensor,
        to: Words,
        *,
        strengths: Sequence[float] = STRIP,
        source: Words | None = None,
        method: str = "flowedit",
        guidance: float | None = None,
        seed: int = 0,
        raw: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[EditRecords]:
        """The same edits at several strengths; arguments as for `edit`.

        Returns:
            The records of all pictures, for each strength in order.
        """
        how = find_method(method)
        strengths = [check_number("strength", s, least=0, most=1) for s in strengths]
        w = check_number("guidance", how.guidance if guidance is None else guidance, least=0)
        seed = check_count("seed", seed, least=None)
        x = self._checked(images)
        asked = rows_of_words(self.spec, "to", to, len(x))
        require_values(self.spec, asked)
        given = rows_of_words(self.spec, "source", {} if source is None else source, len(x))
        z = self._latents(x)
        before, confidence = self._sources(z, given)
        after = [{**b, **a} for b, a in zip(before, asked, strict=True)]
        edited = []
        for number, strength in enumerate(strengths):
            for k, (first, last) in enumerate(zip(before, after, strict=True)):
                if first == last:  # it shows what is asked for already
                    edited.append(z[k])
                else:
                    pair = self._network_conditions(first, last)
                    job = LatentEdit(z[k].to(self.device), *pair, strength, w, seed)
                    edited.append(how.run(self, job).float().cpu())
                if on_progress is not None:
                    on_progress(number * len(x) + k + 1, len(strengths) * len(x))
        decoded = self.decode(torch.cat([z, torch.stack(edited)]))
        base, rows = decoded[: len(x)], decoded[len(x) :].unflatten(0, (len(strengths), len(x)))
        originals = _bytes(x)
        found = []
        for number, strength in enumerate(strengths):
            shown = _bytes(rows[number] if raw else changed_picture(x, base, rows[number]))
            records = [
                EditRecord(
                    shown[k],
                    originals[k],
                    before[k],
                    after[k],
                    confidence[k],
                    strength,
                    z[k],
                    edited[number * len(x) + k],
                    k,
                )
                for k in range(len(x))
            ]
            settings = {"method": method, "strength": strength, "guidance": w, "seed": seed}
            found.append(EditRecords(records, settings | ({"raw": "yes"} if raw else {})))
        return found

    def find_source(self, images: Tensor) -> tuple[list[dict[str, str]], list[dict[str, float]]]:
        """What pictures show, found by the model's own classifier.

        Arguments:
            images: As for `edit`.

        Returns:
            For each picture a word for each factor; and the probabilities of these words.
        """
        x = self._checked(images)
        return self._sources(self._latents(x), [{}] * len(x))

    def morph(self, first: Tensor, second: Tensor, steps: int = 8) -> Tensor:
        """Pictures between two real ones.

        Arguments:
            first: A picture (C, H, W), as for `edit`.
            second: Another one.
            steps: How many pictures, both ends included, at least 2.

        Returns:
            uint8 (steps, C, H, W); the ends are the pictures themselves.

        Raises:
            ConfigError: The pictures do not fit the model, or a number is out of range.
        """
        steps = check_count("steps", steps, least=2)
        pair = self._checked(torch.stack([first, second]))
        return to_uint8(morph(self, pair, steps))

    def directions(self) -> Directions:
        """For each value of each factor, a direction (C, h, w) in the space of latents.

        z + k direction moves a latent towards the value; k = 1 by as much as lies between the
        middle of the factor's values and this one.
        """
        return directions_of(self)

    def _checked(self, images: Tensor) -> Tensor:
        return check_pictures(images, channels=self.channels, size=self.size)

    def _latents(self, x: Tensor) -> Tensor:
        """Normalised latents, encoded one by one: the same to the bit in whatever company."""
        return torch.cat([self.encode(one[None]).mean for one in x])

    def _sources(
        self, z: Tensor, given: Sequence[Mapping[str, str]]
    ) -> tuple[list[dict[str, str]], list[dict[str, float]]]:
        names = self.spec.names
        if all(set(names) <= words.keys() for words in given):
            return [{n: words[n] for n in names} for words in given], [{} for _ in given]
        found = probabilities_of(self, z)
        before, confidence = [], []
        for k, words in enumerate(given):
            best = {n: int(p[k].argmax()) for n, p in found.items()}
            before.append({n: words.get(n) or self.spec.factor(n).word(best[n]) for n in names})
            confidence.append({n: float(found[n][k, best[n]]) for n in names if n not in words})
        return before, confidence

    def _network_conditions(
        self, before: Mapping[str, str], after: Mapping[str, str]
    ) -> tuple[Cond, Cond]:
        """The two conditions as indices.

        Where training never showed the target, the factors that stay are left open in both: the
        network knows what the changed ones mean alone, and not in that company.
        """
        pair = [dict(before), dict(after)]
        target = tuple(self.spec.factor(n).index(after[n]) for n in self.spec.names)
        if self.shown is not None and target not in self.shown and ANY not in after.values():
            changed = [n for n in self.spec.names if before[n] != after[n]]
            pair = [{n: words[n] for n in changed} for words in pair]
        source, goal = (
            {n: index.to(self.device) for n, index in self.spec.encode(words, 1).items()}
            for words in pair
        )
        return source, goal


def _bytes(images: Tensor) -> np.ndarray:
    """uint8 (B, H, W, C) of floats (B, C, H, W)."""
    return np.ascontiguousarray(to_uint8(images).permute(0, 2, 3, 1).numpy())
