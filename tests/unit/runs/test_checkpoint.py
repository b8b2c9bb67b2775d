"""Checkpoints: exact, whole at every instant, and clear about what is wrong."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors import SafetensorError

from latentbloom.errors import CheckpointError
from latentbloom.runs import checkpoint, checkpoint_headers
from latentbloom.runs.checkpoint import (
    checkpoint_exists,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from latentbloom.runs.checkpoint_files import put_in_place, stamp
from latentbloom.runs.checkpoint_headers import checkpoint_shapes


def save_number(folder: Path, number: int) -> None:
    """A checkpoint of two files that both say which one it is."""
    tensors = {
        "model": {"w": torch.full((64,), float(number))},
        "optimizer": {"0.step": torch.tensor(number)},
    }
    save_checkpoint(folder, tensors, {"number": number})


def load_number(folder: Path) -> int:
    """The number of a checkpoint; fails when its files are not of one and the same."""
    tensors, meta = load_checkpoint(folder)
    number = meta["number"]
    assert tensors["model"]["w"].tolist() == [float(number)] * 64
    assert tensors["optimizer"]["0.step"].item() == number
    return number


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        call()
    return str(caught.value)


class TestExactness:
    @pytest.mark.parametrize(
        "dtype",
        [
            torch.float32,
            torch.float64,
            torch.float16,
            torch.bfloat16,
            torch.int64,
            torch.uint8,
            torch.bool,
        ],
    )
    def test_types_and_values_return(self, tmp_path: Path, dtype: torch.dtype) -> None:
        values = (torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 50).to(dtype)
        save_checkpoint(tmp_path / "c", {"model": {"w": values}}, {})
        loaded = load_checkpoint(tmp_path / "c")[0]["model"]["w"]
        assert loaded.dtype == dtype
        assert torch.equal(loaded, values)

    def test_numbers_that_are_not_finite_and_signed_zero_return(self, tmp_path: Path) -> None:
        bits = torch.tensor([0x7FC00001, 0x7F800000, -0x80000000, 1], dtype=torch.int64)
        values = bits.to(torch.int32).view(torch.float32)  # a NaN with a payload, inf, -0, tiny
        save_checkpoint(tmp_path / "c", {"model": {"w": values}}, {})
        loaded = load_checkpoint(tmp_path / "c")[0]["model"]["w"]
        assert torch.equal(loaded.view(torch.int32), values.view(torch.int32))

    def test_layout_sharing_and_shape_do_not_matter(self, tmp_path: Path) -> None:
        base = torch.arange(24.0).reshape(2, 3, 4)
        weights = {
            "whole": base,
            "same": base,
            "turned": base.transpose(0, 2),
            "part": base[:, 1:, ::2],
            "spread": torch.tensor([1.0, 2.0]).expand(3, 2),
            "nhwc": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
            "parameter": torch.nn.Parameter(torch.ones(2)),
            "scalar": torch.tensor(3.5),
            "empty": torch.zeros(0, 4),
        }
        save_checkpoint(tmp_path / "c", {"model": weights, "nothing": {}}, {})
        loaded, _ = load_checkpoint(tmp_path / "c")
        assert loaded["nothing"] == {}
        assert loaded["model"].keys() == weights.keys()
        for name, tensor in weights.items():
            assert torch.equal(loaded["model"][name], tensor), name
        loaded["model"]["whole"].zero_()
        assert loaded["model"]["same"].sum() == base.sum()

    def test_nothing_of_the_file_is_held(self, tmp_path: Path) -> None:
        save_number(tmp_path / "c", 5)
        loaded = load_checkpoint(tmp_path / "c")[0]["model"]["w"]
        file = tmp_path / "c" / "model.safetensors"
        with file.open("r+b") as stream:
            stream.write(bytes(file.stat().st_size))
        assert loaded.tolist() == [5.0] * 64

    def test_meta_returns(self, tmp_path: Path) -> None:
        meta = {
            "seed": 2**80,
            "lr": 0.1 + 0.2,
            "words": ["ja", "ñ"],
            "none": None,
            "deep": {"a": 1},
        }
        save_checkpoint(tmp_path / "c", {}, meta)
        assert load_checkpoint(tmp_path / "c")[1] == meta

    def test_a_part_can_be_read(self, tmp_path: Path) -> None:
        save_number(tmp_path / "c", 7)
        (tmp_path / "c" / "optimizer.safetensors").unlink()  # not needed for this
        assert list(load_checkpoint(tmp_path / "c", ["model"])[0]) == ["model"]

    def test_files_have_the_mode_of_other_files(self, tmp_path: Path) -> None:
        save_number(tmp_path / "c", 1)
        (tmp_path / "ordinary").write_text("")
        modes = {path.stat().st_mode for path in (tmp_path / "c").iterdir()}
        assert modes == {(tmp_path / "ordinary").stat().st_mode}


class Killed(BaseException):
    """Stands for a kill: nothing after it reaches the disk."""


class Switch:
    """Lets a number of calls to the disk through and then none, as a kill does."""

    CALLS = ("replace", "fsync", "mkdir", "unlink", "rmdir", "chmod")

    def __init__(self, patch: pytest.MonkeyPatch, calls: int) -> None:
        self.left = calls
        self.fired = False
        for name in self.CALLS:
            patch.setattr(os, name, self.wrap(getattr(os, name)))
        patch.setattr(checkpoint, "save_file", self.wrap(checkpoint.save_file))

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.left == 0:
                self.fired = True
                raise Killed
            self.left -= 1
            return call(*args, **kwargs)

        return counted


class TestKill:
    @pytest.mark.parametrize("first", [True, False], ids=["first", "replacing"])
    def test_at_every_call_a_whole_one_is_left(self, tmp_path: Path, first: bool) -> None:
        outcomes = set()
        for calls in range(100):
            folder = tmp_path / f"run{calls}" / "vae_gan_last"
            if not first:
                save_number(folder, 1)
            with pytest.MonkeyPatch.context() as patch:
                switch = Switch(patch, calls)
                with contextlib.suppress(Killed):
                    save_number(folder, 2)
            if not switch.fired:
                break
            if checkpoint_exists(folder):
                outcomes.add(load_number(folder))
            else:
                assert first
                outcomes.add(0)
            save_number(folder, 3)
            assert load_number(folder) == 3
            assert [path.name for path in folder.parent.iterdir()] == ["vae_gan_last"]
        assert calls > 10
        assert outcomes == {0, 2} if first else {1, 2}

    @pytest.mark.parametrize("left", [(".new",), (".old",), (".new", ".old")])
    def test_a_second_kill_takes_nothing_back(self, tmp_path: Path, left: tuple[str, ...]) -> None:
        """The first kill came between the renames; another one comes at any time after it."""
        for calls in range(100):
            folder = tmp_path / f"run{calls}" / "c_last"
            folder.parent.mkdir()
            for name in left:
                save_number(tmp_path / "made", {".new": 2, ".old": 1}[name])
                (tmp_path / "made").rename(folder.with_name(f".c_last{name}"))
            assert checkpoint_exists(folder)
            found = load_number(folder)
            assert found == (2 if ".new" in left else 1)
            with pytest.MonkeyPatch.context() as patch:
                switch = Switch(patch, calls)
                with contextlib.suppress(Killed):
                    save_number(folder, 3)
            assert load_number(folder) in (found, 3)
            if not switch.fired:
                break
        assert load_number(folder) == 3
        assert [path.name for path in folder.parent.iterdir()] == ["c_last"]

    @pytest.mark.parametrize(
        ("left", "expected"),
        [((".new",), 2), ((".old",), 1), ((".new", ".old"), 2), (("", ".old"), 3), (("",), 3)],
    )
    def test_the_next_start_puts_it_in_its_place(
        self, tmp_path: Path, left: tuple[str, ...], expected: int
    ) -> None:
        run = tmp_path / "run"
        for place in (run / "c_final", run / "latents" / "generated"):
            place.parent.mkdir(exist_ok=True)
            for name in left:
                save_number(tmp_path / "made", {".new": 2, ".old": 1, "": 3}[name])
                hidden = place.with_name(f".{place.name}{name}") if name else place
                (tmp_path / "made").rename(hidden)
        half = run / ".half.new"
        half.mkdir()
        (half / "model.safetensors").write_bytes(b"half")
        mine = run / ".mine.new"
        mine.mkdir()
        (mine / "notes.txt").write_text("keep")
        put_in_place(run)
        assert load_number(run / "c_final") == expected
        assert load_number(run / "latents" / "generated") == expected
        names = sorted(path.name for path in run.iterdir())
        assert names == [".mine.new", "c_final", "latents"]
        assert [path.name for path in (run / "latents").iterdir()] == ["generated"]

    @pytest.mark.slow
    def test_by_the_system_at_any_time(self, tmp_path: Path) -> None:
        folder = tmp_path / "c_last"
        program = (
            "import sys, pathlib, itertools, torch\n"
            "from latentbloom.runs.checkpoint import save_checkpoint\n"
            "for i in itertools.count(1):\n"
            "    t = {'model': {'w': torch.full((64,), float(i))},"
            " 'optimizer': {'0.step': torch.tensor(i)}}\n"
            "    save_checkpoint(pathlib.Path(sys.argv[1]), t, {'number': i})\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program, str(folder)])
        try:
            deadline = time.monotonic() + 60
            while stamp(folder) is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.123)  # by now it is in the midst of another one
        finally:
            process.kill()
            process.wait()
        assert load_number(folder) >= 1
        save_number(folder, 1_000_000)
        assert load_number(folder) == 1_000_000

    def test_never_half_of_one_and_half_of_another(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another one comes between the check of a file and its reading."""
        save_number(tmp_path / "c", 1)
        real = checkpoint.safe_open
        opened: list[str] = []

        def safe_open(path: str, **options: Any) -> Any:
            opened.append(path)
            if len(opened) == 2:
                save_number(tmp_path / "c", 2)
            return real(path, **options)

        monkeypatch.setattr(checkpoint, "safe_open", safe_open)
        assert load_number(tmp_path / "c") == 2

    def test_reading_while_another_is_put_in_place(self, tmp_path: Path) -> None:
        folder = tmp_path / "c_last"
        save_number(folder, 0)
        stop = threading.Event()

        def write() -> None:
            for number in range(1, 10_000):
                save_number(folder, number)
                if stop.wait(0.02):
                    return

        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen = [load_number(folder) for _ in range(100)]
        finally:
            stop.set()
            writer.join()
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class TestFullDisk:
    @pytest.mark.parametrize("position", [0, 1, 2, 3])
    def test_the_last_good_one_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int
    ) -> None:
        folder = tmp_path / "c_last"
        save_number(folder, 1)
        calls = iter(range(100))
        real = os.fsync

        def fsync(handle: int) -> None:
            if next(calls) == position:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            patch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 12_345_678))
            message = error_of(lambda: save_number(folder, 2))
        needed = 64 * 4 + 8 + (1 << 20)
        assert message == (
            f"Checkpoint {folder} could not be saved, because the disk is full: {needed:,} bytes "
            f"are needed and 12,345,678 are free; the last good one, {folder}, is still there. "
            "Make room and run the same command again."
        )
        assert load_number(folder) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["c_last"]

    def test_it_is_known_before_writing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 17))
        message = error_of(lambda: save_number(tmp_path / "c_last", 2))
        assert "17 are free; there is none from before." in message
        assert list(tmp_path.iterdir()) == []

    def test_all_bytes_and_a_margin_are_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        piece, free = torch.zeros(2**20, dtype=torch.uint8), 4 * 2**20
        tensors = {"model": {"a": piece, "b": piece}, "ema": {"a": piece}}
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, free - 1))
        message = error_of(lambda: save_checkpoint(tmp_path / "c", tensors, {}))
        assert "4,194,304 bytes are needed and 4,194,303 are free" in message
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, free))
        save_checkpoint(tmp_path / "c", tensors, {})
        assert checkpoint_exists(tmp_path / "c")

    def test_as_safetensors_puts_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def save_file(*_: object) -> None:
            raise SafetensorError("I/O error: No space left on device (os error 28)")

        monkeypatch.setattr(checkpoint, "save_file", save_file)
        assert "the disk is full" in error_of(lambda: save_number(tmp_path / "c", 1))

    @pytest.mark.parametrize("failing", [0, 1], ids=["moving aside", "moving into place"])
    def test_a_rename_that_fails_is_undone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
    ) -> None:
        folder = tmp_path / "c_last"
        save_number(folder, 1)
        calls = iter(range(100))
        real = os.replace

        def replace(old: Path, new: Path) -> None:
            if next(calls) == failing:
                raise OSError(errno.EIO, "the disk is ill")
            real(old, new)

        monkeypatch.setattr(os, "replace", replace)
        message = error_of(lambda: save_number(folder, 2))
        assert "could not be saved ([Errno" in message
        assert "the disk is ill" in message
        assert message.endswith(f"the last good one, {folder}, is still there.")
        assert load_number(folder) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["c_last"]

    def test_a_first_one_that_cannot_be_moved_into_place_says_why(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.replace

        def replace(old: Path, new: Path) -> None:
            if Path(old).name == ".c_last.new":
                raise OSError(errno.EIO, "the disk is ill")
            real(old, new)

        monkeypatch.setattr(os, "replace", replace)
        message = error_of(lambda: save_number(tmp_path / "c_last", 1))
        assert "the disk is ill" in message
        # Complete, and the only one: it stays where it is, and is found there.
        assert message.endswith(f"the last good one, {tmp_path / '.c_last.new'}, is still there.")
        assert load_number(tmp_path / "c_last") == 1


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with two checkpoints of one kind and one of another."""
    save_number(tmp_path / "vae_gan_best", 1)
    save_number(tmp_path / "conditional_diffusion_last", 3)
    save_number(tmp_path / "vae_gan_last", 2)
    return tmp_path


class TestMessages:
    def test_cut_short(self, run: Path) -> None:
        file = run / "vae_gan_last" / "model.safetensors"
        size = file.stat().st_size
        os.truncate(file, size - 100)
        assert error_of(lambda: load_checkpoint(run / "vae_gan_last")) == (
            f"Checkpoint {run / 'vae_gan_last'}: model.safetensors is cut short "
            f"(found {size - 100:,} bytes, expected {size:,}); "
            f"the last good checkpoint is {run / 'vae_gan_best'}."
        )

    def test_altered(self, run: Path) -> None:
        file = run / "vae_gan_last" / "model.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        assert "model.safetensors was altered after it was written" in error_of(
            lambda: load_checkpoint(run / "vae_gan_last")
        )
        assert load_checkpoint(run / "vae_gan_last", ["optimizer"])[1] == {"number": 2}

    def test_longer_and_missing(self, run: Path) -> None:
        file = run / "vae_gan_last" / "model.safetensors"
        with file.open("ab") as end:
            end.write(b"more")
        message = error_of(lambda: load_checkpoint(run / "vae_gan_last"))
        assert "model.safetensors is longer than it was written (found" in message
        file.unlink()
        message = error_of(lambda: load_checkpoint(run / "vae_gan_last"))
        assert "model.safetensors is missing" in message

    def test_a_broken_one_is_not_offered_instead(self, run: Path) -> None:
        for name in ("vae_gan_last", "vae_gan_best"):
            os.truncate(run / name / "model.safetensors", 3)
        assert error_of(lambda: load_checkpoint(run / "vae_gan_last")).endswith(
            f"no other checkpoint of this kind lies in {run}."
        )
        for name in ("vae_gan_last", "vae_gan_best"):
            (run / name / "meta.json").write_text("{")
        message = error_of(lambda: load_checkpoint(run / "vae_gan_last"))
        assert "is damaged: its meta.json is cut short or is no JSON" in message

    def test_not_there(self, tmp_path: Path) -> None:
        assert error_of(lambda: load_checkpoint(tmp_path / "x" / "vae_gan_last")).startswith(
            f"{tmp_path / 'x' / 'vae_gan_last'} does not exist, so there is no checkpoint to read;"
        )

    def test_of_other_software(self, tmp_path: Path) -> None:
        (tmp_path / "pytorch_model.bin").write_bytes(b"x")
        message = error_of(lambda: load_checkpoint(tmp_path))
        assert "is not a checkpoint of this program: it has no meta.json" in message
        (tmp_path / "meta.json").write_text('{"format": "another"}')
        message = error_of(lambda: load_checkpoint(tmp_path))
        assert "its meta.json does not say 'format: latentbloom-checkpoint'" in message

    def test_of_a_newer_version(self, run: Path) -> None:
        path = run / "vae_gan_last" / "meta.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 9}))
        assert (
            "has format version 9, and this program reads up to version 1: update latentbloom"
            in error_of(lambda: load_checkpoint(run / "vae_gan_last"))
        )

    @pytest.mark.parametrize("files", [[], {"../vae_gan_best/model.safetensors": {}}, {"a": 1}])
    def test_a_meta_that_lies(self, run: Path, files: object) -> None:
        path = run / "vae_gan_last" / "meta.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"files": files}))
        message = error_of(lambda: load_checkpoint(run / "vae_gan_last"))
        assert "is damaged: its meta.json lacks 'files' or 'meta'" in message

    def test_shapes_are_read_from_headers_or_refused_likewise(
        self, run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = run / "vae_gan_last"
        assert dict(checkpoint_shapes(folder, "model")) == {"w": (64,)}
        assert error_of(lambda: checkpoint_shapes(folder, "ema")) == (
            f"Checkpoint {folder} has no 'ema'."
        )

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "the disk is ill")

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint_headers, "read_header", fail)
            message = error_of(lambda: checkpoint_shapes(folder, "model"))
        assert message.startswith(f"Checkpoint {folder}: model.safetensors [Errno")
        assert "the disk is ill" in message
        with (folder / "model.safetensors").open("ab") as file:
            file.write(b"more")
        message = error_of(lambda: checkpoint_shapes(folder, "model"))
        assert "model.safetensors is longer than it was written" in message

    def test_a_part_that_it_has_not(self, run: Path) -> None:
        assert error_of(lambda: load_checkpoint(run / "vae_gan_last", ["ema"])) == (
            f"Checkpoint {run / 'vae_gan_last'} has no 'ema'. It has: model, optimizer."
        )

    def test_what_is_in_the_way_is_not_removed(self, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").write_bytes(b"dear")
        message = error_of(lambda: save_number(tmp_path, 1))
        assert message.startswith(f"{tmp_path} exists and is no checkpoint of this program")
        assert (tmp_path / "photo.jpg").read_bytes() == b"dear"


class TestFingerprint:
    def test_order_and_layout_do_not_count(self) -> None:
        a, b = torch.randn(2, 3, 4, 4), torch.randn(3)
        one = fingerprint({"a": a, "b": b})
        other = fingerprint({"b": b, "a": a.to(memory_format=torch.channels_last)})
        assert one == other
        assert len(one) == 64

    @pytest.mark.parametrize(
        "other",
        [
            {"w": torch.tensor([0.0, 1.0, 2.0, 3.1])},
            {"w": torch.arange(4.0).reshape(2, 2)},
            {"w": torch.arange(4.0).double()},
            {"w": torch.arange(4.0).view(torch.int32)},
            {"v": torch.arange(4.0)},
            {"w": torch.arange(4.0), "v": torch.zeros(0)},
        ],
    )
    def test_everything_else_does(self, other: dict[str, torch.Tensor]) -> None:
        assert fingerprint(other) != fingerprint({"w": torch.arange(4.0)})
