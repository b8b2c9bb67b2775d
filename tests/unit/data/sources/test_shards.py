"""WebDataset shards as a source, and packing them: nothing is lost without being named."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from latentbloom.cli.main import main
from latentbloom.config import SourceOptions
from latentbloom.data.audit.changes import check_pictures, record_pictures
from latentbloom.data.audit.run import audit_source
from latentbloom.data.imageset import ImageSet
from latentbloom.data.packing import pack_shards
from latentbloom.data.packing.pack_plan import PackPlan
from latentbloom.data.packing.pack_shards import pack_source
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.data.sources.shards import remote_files, shard_index
from latentbloom.errors import LatentbloomError, RunFolderError, SourceError
from latentbloom.export.data_terms import terms_of_run
from latentbloom.words import plural
from picture_files import noise, save, tree

ABOUT_FILES = {"source", "layout", "seconds", "notes"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tree(tmp_path / "pictures", {"cat": 22, "dog": 18})


def pack(source: Path | str, folder: Path, **other: Any) -> Path:
    pack_source(PackPlan(open_source(str(source)), per_shard=8, **other), folder, workers=2)
    return folder


def write_shard(path: Path, samples: dict[str, dict[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, members in samples.items():
            for ending, content in members.items():
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(seed)).save(file, "PNG")
    return file.getvalue()


def records(source: Source, size: int = 16) -> tuple[str, torch.Tensor, np.ndarray]:
    images = ImageSet(source, source.entries, size=size, channels=3)
    return images.fingerprint, images.images(range(len(images))), images.labels


def test_a_packed_set_is_the_source_again(pictures: Path, tmp_path: Path) -> None:
    (pictures / "cat" / "99.jpg").write_bytes(b"no picture")
    (pictures / "cat" / "note.txt").write_text("not used")
    first = open_source(str(pictures))
    second = open_source(f"wds:{pack(pictures, tmp_path / 'packed')}")

    assert [(e.name, e.labels, e.split) for e in first.entries] == [
        (e.name, e.labels, e.split) for e in second.entries
    ]
    audits = [audit_source(source).model_dump() for source in (first, second)]
    for audit in audits:
        assert [aside.pop("reason")[-8:] for aside in audit["broken"]] == [" format."]
        assert [aside["name"] for aside in audit["broken"]] == ["cat/99.jpg"]
    assert audits[1]["notes"] == (f"Packed from {pictures}.", *audits[0]["notes"])
    for name in ABOUT_FILES:
        del audits[0][name], audits[1][name]
    assert audits[0] == audits[1]
    good = (
        [e for e in first.entries if e.name != "cat/99.jpg"],
        [e for e in second.entries if e.name != "cat/99.jpg"],
    )
    sets = [ImageSet(s, e, size=16, channels=3) for s, e in zip((first, second), good, strict=True)]
    assert sets[0].fingerprint == sets[1].fingerprint
    assert torch.equal(sets[0].images(range(40)), sets[1].images(range(40)))


def test_files_are_copied_byte_for_byte(pictures: Path, tmp_path: Path) -> None:
    packed = open_source(f"wds:{pack(pictures, tmp_path / 'packed')}")
    from latentbloom.storage.user_files import read_bytes

    for entry in packed.entries:
        assert entry.path is not None
        assert read_bytes(entry.path) == (pictures / entry.name).read_bytes()


def test_pictures_of_sixteen_bits_keep_their_range(tmp_path: Path) -> None:
    for k in range(20):
        values = (noise(k, channels=1)[..., 0].astype(np.uint16) * 16) % 4096
        path = tmp_path / "deep" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    first = open_source(str(tmp_path / "deep"))
    second = open_source(f"wds:{pack(tmp_path / 'deep', tmp_path / 'packed')}")

    assert first.treatment == second.treatment == "white 4095"
    assert records(first)[0] == records(second)[0]
    assert torch.equal(records(first)[1], records(second)[1])


def test_rendered_pictures_and_a_size(pictures: Path, tmp_path: Path) -> None:
    rendered = open_source("synthetic-flowers:24", seed=3)
    pack_source(PackPlan(rendered, size=16), tmp_path / "rendered")
    again = open_source(f"wds:{tmp_path / 'rendered'}")
    assert again.spec == rendered.spec
    assert records(again)[0] == records(rendered)[0]
    assert torch.equal(records(again)[1], records(rendered)[1])

    small = open_source(f"wds:{pack(pictures, tmp_path / 'small', size=16)}")
    assert small.inspect(small.entries[0]).width == 16
    assert torch.equal(records(small)[1], records(open_source(str(pictures)))[1])


def test_other_programs_read_the_shards(pictures: Path, tmp_path: Path) -> None:
    from webdataset.tariterators import group_by_keys, tar_file_expander

    samples = []
    for path in pack(pictures, tmp_path / "packed").glob("*.tar"):
        with path.open("rb") as file:
            samples += group_by_keys(tar_file_expander([{"url": path.name, "stream": file}]))
    assert len(samples) == 40
    for sample in samples:
        about = json.loads(sample["json"])
        assert sample["png"] == (pictures / about["source_name"]).read_bytes()
        assert about["cond"]["label"] == about["source_name"].split("/")[0]


def test_packing_resumes_and_writes_the_same_bytes(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pack(pictures, tmp_path / "whole")
    plan = PackPlan(open_source(str(pictures)), per_shard=8)
    real, calls = pack_shards.write_tar, []

    def stop_at_the_third(path: Path, members: Any) -> None:
        calls.append(path.name)
        if len(calls) == 3:
            next(iter(members))
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        real(path, members)

    with monkeypatch.context() as patch:
        patch.setattr(pack_shards, "write_tar", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            pack_source(plan, tmp_path / "stopped")
    there = {path.name for path in (tmp_path / "stopped").iterdir()}
    assert {"packed.json", "train-000000.tar", "train-000001.tar"} <= there
    assert not there & {"train-000002.tar", "index.json"}
    result = pack_source(plan, tmp_path / "stopped", workers=3)
    assert (result.kept >= 2, result.written >= 1, result.pictures) == (True, True, 40)
    for path in whole.iterdir():
        assert (tmp_path / "stopped" / path.name).read_bytes() == path.read_bytes()
    (tmp_path / "stopped" / "train-000001.tar").write_bytes(b"cut")
    assert pack_source(plan, tmp_path / "stopped").written == 1


def test_a_folder_of_something_else_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    folder = pack(pictures, tmp_path / "packed")
    save(pictures / "cat" / "new.png", noise(7))
    with pytest.raises(RunFolderError, match="holds shards of other pictures"):
        pack(pictures, folder)
    with pytest.raises(RunFolderError, match="is not empty"):
        pack(pictures, pictures)


def test_a_missing_index_is_made_and_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pack(pictures, tmp_path / "packed")
    expected = records(open_source(f"wds:{folder}"))[0]
    (folder / "index.json").unlink()
    assert records(open_source(f"wds:{folder}/*.tar"))[0] == expected
    monkeypatch.setattr(shard_index, "list_shard", lambda _: pytest.fail("listed again"))
    assert records(open_source(f"wds:{folder}"))[0] == expected


def test_without_its_description_a_packed_set_has_its_labels(
    pictures: Path, tmp_path: Path
) -> None:
    folder = pack(pictures, tmp_path / "packed")
    expected = open_source(str(pictures))
    (folder / "index.json").unlink()
    (folder / "packed.json").write_text("{")
    source = open_source(f"wds:{folder}")
    assert any("packed.json is not used" in note for note in source.notes)
    assert source.spec == expected.spec
    assert {(e.name, e.labels, e.split) for e in source.entries} == {
        (e.name, e.labels, e.split) for e in expected.entries
    }


def test_an_index_that_does_not_match(pictures: Path, tmp_path: Path) -> None:
    folder = pack(pictures, tmp_path / "packed")
    expected = open_source(f"wds:{folder}").entries
    index = json.loads((folder / "index.json").read_text())
    index["shards"]["train-000000.tar"]["bytes"] += 512
    index["shards"]["train-000001.tar"]["starts"][0] += 512
    (folder / "index.json").write_text(json.dumps(index))
    source = open_source(f"wds:{folder}")
    said = "index.json does not match train-000000.tar, train-000001.tar: "
    assert any(said in note for note in source.notes)
    assert source.entries == expected
    other = pack(tree(tmp_path / "other", {"a": 22, "b": 18}), tmp_path / "theirs")
    shutil.copy(other / "index.json", folder / "index.json")
    source = open_source(f"wds:{folder}")
    assert any("is of another set than packed.json" in note for note in source.notes)
    assert source.entries == expected
    (folder / "index.json").write_text('{"format": "wids"}')
    assert any("index.json is not used" in n for n in open_source(f"wds:{folder}").notes)


@pytest.mark.parametrize("keep", [0.55, 0.9])
@pytest.mark.parametrize("indexed", [True, False])
def test_a_shard_cut_short_loses_what_follows_and_names_it(
    pictures: Path, tmp_path: Path, keep: float, indexed: bool
) -> None:
    folder = pack(pictures, tmp_path / "packed")
    shard = folder / "train-000001.tar"
    last = open_source(f"wds:{folder}")
    in_shard = [e for e in last.entries if str(e.path).startswith(str(shard))]
    end = max(e.path.start + e.path.size for e in in_shard if e.path is not None)  # pyrefly: ignore
    shard.write_bytes(shard.read_bytes()[: int(keep * end)])
    if not indexed:
        (folder / "index.json").unlink()
    source = open_source(f"wds:{folder}")
    lost = {e.name for e in last.entries} - {e.name for e in source.entries}
    assert 0 < len(lost) < 8
    said = [note for note in source.notes if note.startswith("train-000001.tar is cut short")]
    assert len(said) == 1
    verb = "is" if len(lost) == 1 else "are"
    assert (f"{plural(len(lost), 'picture')} of it {verb} lost" in said[0]) == indexed
    named = {aside.name for aside in source.set_aside}
    assert "train-000001.tar" in named
    assert not indexed or lost <= named
    assert not audit_source(source).broken


def test_a_lost_shard_is_named_with_its_pictures(pictures: Path, tmp_path: Path) -> None:
    folder = pack(pictures, tmp_path / "packed")
    (folder / "train-000000.tar").unlink()
    source = open_source(f"wds:{folder}/{{train-000000,train-000001,train-000002,val-000000}}.tar")
    assert any("Its 8 pictures are lost" in note for note in source.notes)
    assert sum("is lost" in aside.reason for aside in source.set_aside) == 8
    assert len(source.entries) == 20


def test_shards_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    names = ("cat", "dog")
    for shard in range(3):
        samples = {
            f"sub/{shard}{k:03d}": {
                "jpg": png(100 * shard + k),
                "cls": str(k % 2).encode(),
                "json": json.dumps(
                    {"kind": names[k % 2], "age": k, "url": f"u{shard}{k}"}
                ).encode(),
            }
            for k in range(10)
        }
        samples["sub/alone"] = {"json": b"{}"}
        samples["sub/odd"] = {"png": png(1), "json": b'{"kind": '}
        write_shard(tmp_path / "set" / f"part-{shard}.tar", samples)
    source = open_source(f"wds:{tmp_path}/set/part-{{0..2}}.tar")
    assert len(source.entries) == 30
    assert source.spec.factor("kind").values == names
    assert source.spec.factor("label").values == ("no", "yes")
    reasons = {aside.name: aside.reason for aside in source.set_aside}
    assert "it has no picture, only json" in reasons["part-0/sub/alone"]
    assert "its json is cut short" in reasons["part-2/sub/odd"]
    assert {e.split for e in source.entries} == {"train", "val"}
    only = SourceOptions(source=f"wds:{tmp_path}/set", factors="age", bins="age=2")
    assert len(open_source(only).spec.factors[0].values) == 2


def test_samples_that_a_model_made(tmp_path: Path) -> None:
    for word in ("no", "yes"):
        samples = {
            f"{k:09d}": {
                "png": png(k + 50 * (word == "yes")),
                "json": json.dumps({"cond": {"smiling": word}, "seed": 0, "index": k}).encode(),
            }
            for k in range(12)
        }
        write_shard(tmp_path / word / "seed0_000000000-000000011.tar", samples)
    source = open_source(f"wds:{tmp_path}/*/seed0_*.tar")
    assert source.spec.names == ("smiling",)
    assert source.entries[0].name == "no/seed0_000000000-000000011/000000000"
    assert len(source.entries) == 24


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("wds:", "names no shards"),
        ("wds:pipe:cat x.tar", "commands are never run"),
        ("wds:{folder}/none-*.tar", "finds no shard"),
        ("wds:{folder}/none.tar", r"finds no shard. Missing are .*none.tar"),
        ("wds:{folder}/x.tar.gz", "compressed"),
        ("wds:{folder}/empty.tar", "it is empty"),
        ("wds:{folder}/text.tar", "it is no tar file"),
        ("wds:{folder}/unlabelled.tar", "no picture has a label"),
        ("wds:nosuch://x/y.tar", "cannot be opened"),
    ],
)
def test_what_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"")
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "text.tar").write_text("no tar " * 400)
    write_shard(tmp_path / "unlabelled.tar", {str(k): {"png": png(k)} for k in range(20)})
    with pytest.raises(LatentbloomError, match=message):
        open_source(pattern.replace("{folder}", str(tmp_path)))


def test_any_url_that_fsspec_opens(pictures: Path, tmp_path: Path) -> None:
    import fsspec

    folder = pack(pictures, tmp_path / "packed")
    memory = fsspec.filesystem("memory")
    for path in folder.iterdir():
        memory.pipe(f"/set/{path.name}", path.read_bytes())
    try:
        expected = records(open_source(f"wds:{folder}"))
        found = records(open_source("wds:memory://set/*.tar"))
        assert expected[0] == found[0]
        assert torch.equal(expected[1], found[1])
    finally:
        memory.rm("/set", recursive=True)


class _Server(BaseHTTPRequestHandler):
    folder: Path
    silent: frozenset[str] = frozenset()
    gets: list[str] = []  # noqa: RUF012 - of the class, on purpose
    quiet = threading.Event()

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self.gets.append(self.path)
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.folder / self.path.strip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{len(content)}"')
        self.end_headers()
        if not body:
            return
        if path.name in self.silent:
            self.wfile.write(content[:700])
            self.wfile.flush()
            self.quiet.wait(20)
            return
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path, silent: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[str]]]:
    from http.server import ThreadingHTTPServer

    quiet, gets = threading.Event(), list[str]()
    kind = type(
        "Server",
        (_Server,),
        {
            "folder": folder,
            "silent": silent,
            "gets": gets,
            "quiet": quiet,
        },
    )
    server: HTTPServer = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", gets
    finally:
        quiet.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_url_that_stops_answering_is_a_named_loss(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "SILENCE", 1.0)
    folder = pack(pictures, tmp_path / "packed")
    with served(folder, frozenset(["train-000001.tar"])) as (host, gets):
        names = "{train-000000,train-000001,train-000002,val-000000}"
        source = open_source(f"wds:{host}/{names}.tar")
        assert len(source.entries) == 20
        assert any("no answer for 1 s" in note for note in source.notes)
        assert any("Its 8 pictures are lost" in note for note in source.notes)
        assert audit_source(source).train == 16
        before = len(gets)
        first = f"{host}/train-000000.tar"
        assert remote_files.local_copy(first).is_file()
        assert len(gets) == before  # it is in the cache
        copy = remote_files.local_copy(first)
    assert remote_files.local_copy(first) == copy  # also without the server
    with pytest.raises(SourceError, match="no picture can be used"):
        open_source("wds:http://127.0.0.1:9/x.tar")


def test_a_run_notices_another_picture_in_a_shard(pictures: Path, tmp_path: Path) -> None:
    folder = pack(pictures, tmp_path / "packed")
    source = open_source(f"wds:{folder}")
    audit = audit_source(source)
    record_pictures(source, audit, tmp_path / "list.json")
    assert check_pictures(open_source(f"wds:{folder}"), audit, tmp_path / "list.json") is not None
    entry = source.entries[0]
    shard = Path(entry.path or "")
    content = bytearray(shard.read_bytes())
    content[entry.path.start + 60] ^= 1  # pyrefly: ignore
    shard.write_bytes(content)
    with pytest.raises(SourceError, match="1 picture with other content under the same name"):
        check_pictures(open_source(f"wds:{folder}"), audit, tmp_path / "list.json")


def test_the_command(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pack", str(pictures), "--out", str(tmp_path / "packed"), "--per-shard", "16"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "40 pictures (their files as they were) in 4 shards" in said
    assert main(words) == 0
    assert "0 written, 4 shards already there" in capsys.readouterr().out
    assert main(["audit", f"wds:{tmp_path / 'packed'}"]) == 0
    assert main([*words, "--size", "16"]) == 1
    assert "with other settings" in capsys.readouterr().err


def test_the_terms_of_a_published_set_hold_for_its_shards(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"data": {"source": "wds:packed"}}))
    assert terms_of_run(tmp_path) is None
    (tmp_path / "audit.json").write_text(json.dumps({"notes": ["Packed from celeba."]}))
    terms = terms_of_run(tmp_path)
    assert terms is not None
    assert terms.name == "CelebA"
