"""Flowers102 with damaged or missing files, and fetching what is missing."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from latentbloom.data.sources.published import flowers102 as module
from published_files import (
    flowers102,
    message_of,
    open_published,
    splits,
)

opened = partial(open_published, "flowers102")
message = partial(message_of, "flowers102")


class TestDamage:
    @pytest.mark.parametrize("name", ["imagelabels.mat", "setid.mat"])
    @pytest.mark.parametrize("keep", [0, 60, 150])
    def test_a_list_that_was_cut_short(self, tmp_path: Path, name: str, keep: int) -> None:
        flowers102(tmp_path)
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:keep])

        said = message(tmp_path)

        assert said.startswith(f"{path} ")
        assert "again from https://www.robots.ox.ac.uk/~vgg/data/flowers/102/" in said

    def test_a_list_without_its_key(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        savemat(tmp_path / "setid.mat", {"trnid": [[1, 2]], "tstid": [[3]]})

        assert message(tmp_path) == (
            f"{tmp_path / 'setid.mat'} has no list of numbers 'valid'; it holds trnid, tstid. "
            "Download it again from https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
        )

    def test_too_few_labels_cost_their_pictures(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        labels = np.ones((1, 70), np.uint8)
        labels[0, 44] = 103
        savemat(tmp_path / "imagelabels.mat", {"labels": labels})

        source = opened(tmp_path)

        reasons = {aside.name: aside.reason for aside in source.set_aside}
        assert reasons["image_00071.jpg"] == "imagelabels.mat ends after 70 labels"
        assert reasons["image_00045.jpg"] == (
            "imagelabels.mat gives it the species 103; known are 1 to 102"
        )
        assert len(reasons) == 11
        assert splits(source) == {"train": 19, "val": 10}

    def test_missing_pictures_are_set_aside(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        (tmp_path / "jpg" / "image_00050.jpg").unlink()
        shutil.copy(tmp_path / "jpg" / "image_00051.jpg", tmp_path / "jpg" / "mine.jpg")

        source = opened(tmp_path)

        assert [(aside.name, aside.reason) for aside in source.set_aside] == [
            ("image_00050.jpg", "setid.mat names it, but jpg/ has no such picture"),
            ("mine.jpg", "setid.mat does not name it"),
        ]
        assert splits(source) == {"train": 19, "val": 20}

    def test_none_of_the_pictures(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        for path in (tmp_path / "jpg").iterdir():
            path.rename(path.with_name(path.name.replace("image", "other")))

        assert message(tmp_path) == (
            f"No picture in {tmp_path / 'jpg'} can be used. The first, image_00001.jpg: setid.mat "
            "names it, but jpg/ has no such picture."
        )


class TestFetching:
    def test_one_message_when_it_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Torchvision is asked, and what it is answered is passed on."""
        from urllib.error import URLError

        from torchvision.datasets import utils

        def refuse(*_: Any, **__: Any) -> None:
            raise URLError("[Errno -3] Temporary failure in name resolution")

        monkeypatch.undo()
        monkeypatch.setattr(utils, "download_url", refuse)

        folder = tmp_path / "flowers-102"
        assert message(tmp_path) == (
            f"Flowers102 is not complete in '{folder}': the pictures (jpg/), imagelabels.mat, "
            "setid.mat cannot be found. Fetching it failed: <urlopen error [Errno -3] Temporary "
            "failure in name resolution>.\n"
            "Get 102flowers.tgz, imagelabels.mat and setid.mat (Dataset images, image labels and "
            "data splits) from\n"
            "  https://www.robots.ox.ac.uk/~vgg/data/flowers/102/\n"
            "and put them here:\n"
            f"  {folder / 'jpg'}/image_00001.jpg and so on, unpacked\n"
            f"  {folder / 'imagelabels.mat'}\n"
            f"  {folder / 'setid.mat'}\n"
            "If they lie elsewhere, name that folder with --root."
        )

    def test_what_is_fetched_is_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_download", flowers102)

        assert splits(opened(tmp_path / "new")) == {"train": 20, "val": 20}

    def test_only_what_is_missing_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flowers102(tmp_path / "flowers-102")
        (tmp_path / "flowers-102" / "setid.mat").unlink()

        def fail(_: Path) -> None:
            raise TimeoutError

        monkeypatch.setattr(module, "_download", fail)
        said = message(tmp_path)

        assert "': setid.mat cannot be found. Fetching it failed: TimeoutError.\n" in said

    @pytest.mark.parametrize(
        ("inner", "gone"),
        [("", "setid.mat"), ("flowers-102", "imagelabels.mat"), ("flowers-102", "jpg")],
    )
    def test_only_what_is_missing_is_fetched_to_where_the_rest_lies(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str, gone: str
    ) -> None:
        """Torchvision's own function is asked, with its own addresses and sums."""
        from torchvision.datasets import Flowers102, utils

        monkeypatch.undo()
        made = flowers102(tmp_path / "made")
        shutil.make_archive(str(tmp_path / "102flowers"), "gztar", made, "jpg")
        (tmp_path / "102flowers.tar.gz").rename(made / "102flowers.tgz")
        base = Path(shutil.copytree(made, tmp_path / "root" / inner))
        (base / "102flowers.tgz").unlink()
        if gone == "jpg":
            shutil.rmtree(base / gone)
        else:
            (base / gone).unlink()
        asked = []

        def hand_over(url: str, folder: Path, *, md5: str) -> None:
            asked.append((url.removeprefix(Flowers102._download_url_prefix), md5))
            shutil.copy(made / asked[-1][0], folder)

        monkeypatch.setattr(utils, "download_url", hand_over)
        assert splits(opened(tmp_path / "root")) == {"train": 20, "val": 20}
        assert [name for name, _ in asked] == ["102flowers.tgz" if gone == "jpg" else gone]
        assert set(asked) <= set(Flowers102._file_dict.values())
        asked.clear()
        opened(tmp_path / "root")
        assert asked == []
