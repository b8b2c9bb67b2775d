"""An exported model in numpy and onnxruntime: noise, the steps of a sampler, pictures."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Sampler:
    """An exported model.

    Arguments:
        folder: The folder with model.json and the .onnx files.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.about: dict[str, Any] = json.loads(
            (self.folder / "model.json").read_text(encoding="utf-8")
        )
        self.factors = self.about["factors"]
        self.denoiser = self._open("denoiser")
        self.decoder = self._open("decoder")

    @functools.cached_property
    def encoder(self) -> onnxruntime.InferenceSession:
        """Takes pictures to latents. Sampling does not need it."""
        return self._open("encoder")

    def _open(self, name: str) -> onnxruntime.InferenceSession:
        path = str(self.folder / f"{name}.onnx")
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def indices(self, words: dict[str, str]) -> list[int]:
        """The index of each factor's value; a factor that is not named is "any", the last index.

        Raises:
            ValueError: A factor or a value is unknown.
        """
        names = [factor["name"] for factor in self.factors]
        for name in words:
            if name not in names:
                raise ValueError(f"'{name}' is no condition. Known: {', '.join(names)}.")
        found = []
        for factor in self.factors:
            values = [*factor["values"], "any"]
            word = words.get(factor["name"], "any")
            if word not in values:
                raise ValueError(
                    f"'{word}' is no value of '{factor['name']}'. Known: {', '.join(values)}."
                )
            found.append(values.index(word))
        return found

    def table(self, sampler: str | None = None, num_steps: int | None = None) -> dict[str, Any]:
        """The step table of a sampler.

        Raises:
            ValueError: There is none for so many steps.
        """
        usual = self.about["sampling"]["default"]
        sampler, num_steps = sampler or usual["sampler"], num_steps or usual["num_steps"]
        tables = self.about["samplers"]
        for table in tables:
            if (table["sampler"], table["num_steps"]) == (sampler, num_steps):
                return table
        known = ", ".join(f"{t['sampler']} {t['num_steps']}" for t in tables)
        raise ValueError(f"There is no table for {sampler} with {num_steps} steps. Known: {known}.")

    def latents(
        self,
        noise: np.ndarray,
        rows: np.ndarray,
        *,
        guidance: float | None = None,
        table: dict[str, Any] | None = None,
    ) -> np.ndarray:
        """Normalised latents from noise.

        Arguments:
            noise: Standard normal, float32 (n, C, h, w).
            rows: Indices of the conditions, int64 (n, factors).
            guidance: 1 plain conditional, 0 unconditional, above 1 stronger.
            table: A step table; default the usual one.

        Returns:
            float32 (n, C, h, w).
        """
        usual = self.about["sampling"]["default"]
        guidance = usual["guidance"] if guidance is None else guidance
        low, high = usual["guidance_interval"] or (0.0, 1.0)
        table = table or self.table()
        terms = [noise]
        for t, row in zip(table["t"], table["rows"], strict=False):
            w = guidance if low <= t <= high else 1.0
            terms.append(self.estimate(_combined(row, terms), t, rows, w))
        return _combined(table["rows"][-1], terms)

    def estimate(self, x_t: np.ndarray, t: float, rows: np.ndarray, guidance: float) -> np.ndarray:
        """x0_hat (n, C, h, w) under conditions (n, factors), one time and one guidance."""
        unseen = self._unseen(rows)
        if not unseen.any():
            return self._run(x_t, t, rows, guidance)
        x0_hat = np.empty_like(x_t)
        if not unseen.all():
            x0_hat[~unseen] = self._run(x_t[~unseen], t, rows[~unseen], guidance)
        x0_hat[unseen] = self._by_analogy(x_t[unseen], t, rows[unseen], guidance)
        return x0_hat

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Latents (n, C, h, w) to pictures, uint8 (n, H, W, channels)."""
        image = outputs(self.decoder, {"z": z})[0]
        return np.rint((image + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)

    def _run(self, x_t: np.ndarray, t: float, rows: np.ndarray, w: float) -> np.ndarray:
        feed = {
            "x_t": x_t,
            "t": np.full(len(x_t), t, np.float32),
            "guidance": np.full(len(x_t), w, np.float32),
        }
        feed |= {f"cond_{k}": np.ascontiguousarray(rows[:, k]) for k in range(rows.shape[1])}
        return outputs(self.denoiser, feed)[0]

    def _unseen(self, rows: np.ndarray) -> np.ndarray:
        """Rows that name every factor, in a combination that training never showed."""
        shown = self.about["shown"]
        if shown is None or len(self.factors) < 2:
            return np.zeros(len(rows), bool)
        nulls = [len(factor["values"]) for factor in self.factors]
        known = {tuple(row) for row in shown}
        named = (rows != nulls).all(axis=1)
        return named & np.array([tuple(row) not in known for row in rows.tolist()])

    def _by_analogy(self, x_t: np.ndarray, t: float, rows: np.ndarray, w: float) -> np.ndarray:
        """x0_u + w sum over factors f of (x0 under f and g - x0 under g).

        g are the other factors' values in a combination that training showed. Of several that
        share the most values with the row, each takes its turn along the path.
        """
        shown = np.array(self.about["shown"])  # (S, factors)
        nulls = np.array([len(factor["values"]) for factor in self.factors])
        turn = float(np.float32(t)) * 617.3 % 1.0
        unconditional = self._run(x_t, t, np.tile(nulls, (len(rows), 1)), 0.0)
        total = np.zeros_like(x_t)
        for column in range(len(nulls)):
            others = np.tile(nulls, (len(rows), 1))
            for number, row in enumerate(rows):
                agreement = shown == row
                score = agreement.sum(1) * agreement[:, column]
                nearest = np.flatnonzero((score == score.max()) & (score > 0))
                if len(nearest):
                    others[number] = shown[nearest[int(turn * len(nearest))]]
            with_value, without = others.copy(), others.copy()
            with_value[:, column], without[:, column] = rows[:, column], nulls[column]
            total += self._run(x_t, t, with_value, 1.0) - self._run(x_t, t, without, 1.0)
        return unconditional + np.float32(w) * total


def outputs(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a graph, in order."""
    return [np.asarray(output) for output in session.run(None, feed)]


def _combined(row: list[float], terms: list[np.ndarray]) -> np.ndarray:
    total = np.float32(row[0]) * terms[0]
    for factor, term in zip(row[1:], terms[1:], strict=False):
        total = total + np.float32(factor) * term
    return total


def noise_for(seed: int, indices: list[int], shape: list[int]) -> np.ndarray:
    """The noise that pictures start from, as PyTorch draws it on a CPU.

    Each picture has a Mersenne Twister of its own. Its numbers become normal ones in groups of
    16, by Box and Muller's method: the first 8 give the radius, the others the angle.

    Arguments:
        seed: Any integer.
        indices: Numbers of the pictures.
        shape: Shape of one latent, of at least 16 values.

    Returns:
        float32 (n, *shape).
    """
    digest = hashlib.sha256(f"start/{seed}".encode()).digest()
    start, stride = struct.unpack("<II", digest[:8])
    count = math.prod(shape)
    pictures = []
    for index in indices:
        twister = np.random.RandomState((start + (stride | 1) * index) % 2**32)
        flat = _uniform(twister, count)
        whole = count - count % 16
        flat[:whole] = _normal(flat[:whole])
        if whole < count:  # the last group overlaps with the one before, on new numbers
            flat[-16:] = _normal(_uniform(twister, 16))
        pictures.append(flat.reshape(shape))
    return np.stack(pictures)


def _uniform(twister: np.random.RandomState, count: int) -> np.ndarray:
    bits = twister.randint(0, 2**32, count, dtype=np.uint64).astype(np.uint32)
    return ((bits & 0xFFFFFF) * np.float32(2.0**-24)).astype(np.float32)


def _normal(uniform: np.ndarray) -> np.ndarray:
    pairs = uniform.reshape(-1, 2, 8)
    radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
    angle = np.float32(2 * math.pi) * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
