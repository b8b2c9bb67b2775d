"""CelebA with damaged or missing files, and fetching what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentbloom.data.sources.published import celeba as module
from picture_files import save
from published_files import (
    HEADER,
    LINE,
    attribute_lines,
    celeba,
    face,
    message_of,
    open_published,
    refuse_download,
    splits,
)

opened = partial(open_published, "celeba")
message = partial(message_of, "celeba")


def packed_celeba(tmp_path: Path) -> Path:
    """20 pictures, which lie in their archive alone."""
    folder = celeba(tmp_path / "celeba", 20)
    shutil.make_archive(str(folder / "img_align_celeba"), "zip", folder, "img_align_celeba")
    shutil.rmtree(folder / "img_align_celeba")
    return folder


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


class TestDamage:
    def test_pictures_that_are_missing_are_set_aside(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 40)
        (folder / "img_align_celeba" / face(3)).unlink()
        save(folder / "img_align_celeba" / "extra.jpg", np.zeros((218, 178, 3), np.uint8))

        source = opened(tmp_path)

        assert [(aside.name, aside.reason) for aside in source.set_aside] == [
            (face(3), "list_attr_celeba.txt names it, but img_align_celeba/ has no such picture"),
            ("extra.jpg", "list_attr_celeba.txt does not name it"),
        ]
        assert splits(source) == {"train": 23, "val": 8}
        assert source.notes[0] == (
            f"Not in {folder / 'img_align_celeba'}: 1 of the 40 pictures that list_attr_celeba.txt "
            "names; the others are used."
        )

    def test_an_attribute_list_that_was_cut_short(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 40)
        path = folder / "list_attr_celeba.txt"
        rewrite(path, lambda lines: [*lines[:25], lines[25][:31]])

        source = opened(tmp_path)

        reasons = {aside.name: aside.reason for aside in source.set_aside}
        assert reasons[face(24)] == "list_attr_celeba.txt, line 26 has 7 of 40 values"
        assert reasons[face(25)] == "list_attr_celeba.txt does not name it"
        assert len(reasons) == len(source.set_aside) == 17
        assert len(source.entries) == 23
        assert source.notes[0] == (
            f"{path} announces 40 pictures and has 24 rows: it was cut short. Download "
            "it again to use the others."
        )

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (
                f"20\n{LINE[:100]}",
                " has no column smiling: line 2 should name 40 attributes and names "
                f"{len(LINE[:100].split())}. It is cut short or another file; download it again.",
            ),
            (f"20\n{LINE}\n", " has no row that can be used. It is cut short or another file; "),
            ("", " has no column smiling: line 1 should name 40 attributes and names 0. "),
            (b"PK\x03\x04\xff\xfe", " is not text (byte 4). It is broken; download it again."),
        ],
    )
    def test_an_attribute_list_of_no_use(
        self, tmp_path: Path, content: str | bytes, said: str
    ) -> None:
        path = celeba(tmp_path / "celeba", 20) / "list_attr_celeba.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

        assert message(tmp_path).startswith(f"{path}{said}")

    def test_an_odd_value_costs_its_own_picture(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 40)
        rows = attribute_lines(40)
        cells = rows[6].split()
        cells[1 + HEADER.index("Smiling")] = "yes"
        rows[6] = " ".join(cells)
        (folder / "list_attr_celeba.txt").write_text("\n".join(rows))

        source = opened(tmp_path)

        assert [(aside.name, aside.reason) for aside in source.set_aside] == [
            (face(5), "list_attr_celeba.txt, line 7 says 'yes'; known are -1 (no) and 1 (yes)")
        ]
        assert len(opened(tmp_path, factors="male").entries) == 32

    def test_a_partition_that_was_cut_short(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 40)
        rewrite(folder / "list_eval_partition.txt", lambda lines: [*lines[:30], "000031"])

        source = opened(tmp_path)

        assert splits(source) == {"train": 24, "val": 6}
        assert len(source.set_aside) == 10
        assert source.set_aside[0].name == face(31)
        assert source.set_aside[0].reason == (
            "list_eval_partition.txt gives it no split (0, 1 or 2)"
        )
        assert "10 pictures are not in list_eval_partition.txt and not used." in source.notes

    def test_a_partition_of_nothing(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 20)
        path = folder / "list_eval_partition.txt"
        path.write_text("")

        said = message(tmp_path)

        assert said.startswith(f"{path} gives no picture a split: rows such as '000001.jpg 0'")
        assert "or delete it" in said

    def test_nothing_that_the_list_names(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 20)
        shutil.rmtree(folder / "img_align_celeba")
        save(folder / "img_align_celeba" / "mine.jpg", np.zeros((218, 178, 3), np.uint8))

        assert message(tmp_path) == (
            f"None of the 20 pictures that {folder / 'list_attr_celeba.txt'} names is in "
            f"{folder / 'img_align_celeba'}."
        )


class TestFetching:
    def test_one_message_when_it_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise RuntimeError("Too many users have viewed or downloaded this file recently.\n")

        monkeypatch.setattr(module, "_download", refuse)

        assert message(tmp_path) == (
            f"CelebA is not complete in '{tmp_path}': the pictures (img_align_celeba/) and "
            "list_attr_celeba.txt cannot be found there. Fetching it failed: Too many users have "
            "viewed or downloaded this file recently.\n"
            "Get img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt from\n"
            "  https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html\n"
            "(Align&Cropped Images, Anno and Eval of its download links) and put them here:\n"
            f"  {tmp_path / 'celeba' / 'img_align_celeba'}/000001.jpg and so on, unpacked\n"
            f"  {tmp_path / 'celeba' / 'list_attr_celeba.txt'}\n"
            f"  {tmp_path / 'celeba' / 'list_eval_partition.txt'} (may be missing)\n"
            "If they lie elsewhere, name that folder with --root."
        )

    def test_an_empty_folder_is_not_complete(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = celeba(tmp_path / "celeba", 20)
        shutil.rmtree(folder / "img_align_celeba")
        (folder / "img_align_celeba").mkdir()
        monkeypatch.setattr(module, "_download", lambda files, root: None)

        said = message(tmp_path)

        assert "the pictures (img_align_celeba/) cannot be found there." in said
        assert "list_attr_celeba.txt and" not in said.splitlines()[0]

    def test_only_what_is_missing_is_fetched_the_small_files_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Torchvision's own function is asked, with its own names and sums."""
        from torchvision.datasets import CelebA, utils

        monkeypatch.undo()
        made = celeba(tmp_path / "made", 20)
        shutil.make_archive(str(tmp_path / "img_align_celeba"), "zip", made, "img_align_celeba")
        asked = []

        def hand_over(drive: str, folder: Path, name: str, md5: str) -> None:
            asked.append((drive, md5, name))
            folder.mkdir(parents=True, exist_ok=True)
            place = tmp_path if name.endswith(".zip") else made
            shutil.copy(place / name, folder / name)

        monkeypatch.setattr(utils, "download_file_from_google_drive", hand_over)

        assert len(opened(tmp_path / "root").entries) == 16
        names = ["list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba.zip"]
        assert [name for _, _, name in asked] == names
        assert set(asked) <= set(CelebA.file_list)
        asked.clear()
        opened(tmp_path / "root")
        assert asked == []

    @pytest.mark.parametrize("partition", [True, False])
    def test_a_packed_archive_is_unpacked_where_it_lies_and_nothing_is_fetched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition: bool
    ) -> None:
        from torchvision.datasets import utils

        monkeypatch.undo()
        monkeypatch.setattr(utils, "download_file_from_google_drive", refuse_download)
        folder = packed_celeba(tmp_path)
        if not partition:
            (folder / "list_eval_partition.txt").unlink()

        assert len(opened(tmp_path).entries) == (16 if partition else 20)

    def test_a_broken_archive_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        folder = celeba(tmp_path / "celeba", 20)
        shutil.rmtree(folder / "img_align_celeba")
        (folder / "img_align_celeba.zip").write_bytes(b"PK\x03\x04 and no more")

        said = message(tmp_path)

        assert f"{folder / 'img_align_celeba.zip'} cannot be unpacked" in said
        assert "unpack it by hand, or delete it to have it downloaded again" in said

    def test_an_interrupted_unpacking_leaves_no_half_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torchvision.datasets import utils

        monkeypatch.undo()
        folder = packed_celeba(tmp_path)

        def interrupted(archive: Path, to: Path) -> None:
            save(to / "img_align_celeba" / face(1), np.zeros((218, 178, 3), np.uint8))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(utils, "extract_archive", interrupted)
            with pytest.raises(KeyboardInterrupt):
                opened(tmp_path)

        assert len(opened(tmp_path).entries) == 16
        assert not (folder / ".unpacking").exists()
