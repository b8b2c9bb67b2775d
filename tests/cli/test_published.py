"""CelebA and Flowers102 from the command line: what is said about them reaches the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import latentbloom
from latentbloom.data.sources.published import celeba as celeba_module
from latentbloom.data.sources.published import flowers102 as flowers_module
from latentbloom.evaluate.against.other_set import open_other
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.runs.folder import RunFolder
from tests.cli.conftest import CommandLine
from tests.published_files import celeba, face, flowers102, segmentations
from tests.tiny_run import TINY

SETTINGS = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(celeba_module, "_download", refuse)
    monkeypatch.setattr(flowers_module, "_download", refuse)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds both data sets."""
    root = tmp_path_factory.mktemp("data")
    celeba(root / "celeba", 40)
    flowers102(root / "flowers-102")
    segmentations(root / "flowers-102")
    return root


def test_audit_of_celeba(call: CommandLine, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.json"

    outcome = call("audit", "celeba", "--root", root, "--factors", "Smiling,male", "--out", file)

    assert (outcome.code, outcome.err) == (0, "")
    assert "Audit of celeba" in outcome.out
    assert "all 148 x 148 px" in outcome.out
    assert "Cropped to the central 148 pixels (--crop)." in outcome.out
    audit = json.loads(file.read_text())
    assert [factor["name"] for factor in audit["spec"]] == ["smiling", "male"]
    assert (audit["train"], audit["val"]) == (24, 8)


def test_audit_of_flowers102(call: CommandLine, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    words = ["--splits", "train,test", "--background", "grey"]

    outcome = call("audit", "flowers102", "--root", root, *words, "--out", file)

    assert (outcome.code, outcome.err) == (0, "")
    audit = json.loads(file.read_text())
    assert (audit["train"], audit["val"]) == (60, 20)
    assert "The background of the flowers is painted grey." in audit["notes"]


def test_the_same_from_python(root: Path) -> None:
    audit = latentbloom.audit("celeba", root=root, factors=["eyeglasses", "young"], crop=108)

    assert audit.condition_spec().names == ("eyeglasses", "young")
    assert audit.sizes.width == (108, 108.0, 108)


def test_the_default_root_is_data(
    call: CommandLine, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(root)
    monkeypatch.chdir(tmp_path)

    assert call("audit", "celeba").code == 0


@pytest.mark.parametrize("command", ["audit", "fit"])
def test_refused_it_is_one_message(call: CommandLine, tmp_path: Path, command: str) -> None:
    outcome = call(command, "celeba", "--root", tmp_path, *(["--dry-run"] * (command == "fit")))

    assert outcome.code == 1
    assert outcome.err.count("latentbloom: ") == 1
    assert "Fetching it failed: Network is unreachable." in outcome.err
    assert "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" in outcome.err
    assert f"{tmp_path / 'celeba' / 'list_attr_celeba.txt'}" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (1, ["--factors", "smilling"], "CelebA has no attribute 'smilling'. Did you mean smiling?"),
        (1, ["--splits", "training,all"], "'all' is no split."),
        (2, ["--crop", "100"], "'100' is not allowed. Allowed: 108|148|178."),
        (1, ["--background", "white"], "'celeba' takes no --background ('white')."),
        (2, ["--fators", "male"], "unknown option '--fators'. Did you mean --factors?"),
    ],
)
def test_what_is_wrong_is_said(
    call: CommandLine, root: Path, code: int, words: list[str], message: str
) -> None:
    outcome = call("audit", "celeba", "--root", root, *words)

    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.slow
class TestRun:
    """One run on CelebA, and what is read back from its folder."""

    @pytest.fixture(scope="class")
    def words(self, root: Path) -> list[str]:
        chosen = ["--root", str(root), "--factors", "smiling,male", "--crop", "108"]
        return ["celeba", *chosen, *SETTINGS, "--data.channels", "3"]

    @pytest.fixture(scope="class")
    def run(self, words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
        from latentbloom.cli.main import main

        run = tmp_path_factory.mktemp("runs") / "faces"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("latentbloom.fitting.finish.finish", lambda *_: None)
            assert main(["fit", *words, "--out", str(run)]) == 0
        return run

    def test_it_can_be_asked_for_both(self, run: Path) -> None:
        model = latentbloom.load(run)

        assert model.spec.names == ("smiling", "male")
        records = model.sample(cond={"smiling": "yes", "male": "no"}, n=2, seed=0)
        assert records.images.shape == (2, 3, 32, 32)

    def test_its_own_pictures_are_opened_again(self, run: Path, root: Path) -> None:
        train, val = sets_of_run(RunFolder(run))

        assert (len(train), len(val)) == (24, 8)
        assert train.spec.names == ("smiling", "male")
        assert train.source.treatment == "crop 108"

    def test_they_may_have_moved(self, run: Path, tmp_path: Path) -> None:
        celeba(tmp_path / "celeba", 40, nested=True, csv=True)

        train, _ = sets_of_run(RunFolder(run))
        moved, _ = sets_of_run(RunFolder(run), overrides={"data.root": str(tmp_path)})

        assert moved.source.entries[0].path != train.source.entries[0].path
        assert moved.fingerprint == train.fingerprint

    def test_another_source_begins_with_the_defaults(self, run: Path, root: Path) -> None:
        wanted = {"data.root": str(root), "data.splits": "test"}

        spec = sets_of_run(RunFolder(run))[0].spec
        other = open_other(RunFolder(run), "flowers102", spec, overrides=wanted)

        assert "is labelled by species" in other.notes[0]
        assert (len(other.images), other.images.size) == (60, 32)
        drawn = open_other(RunFolder(run), "synthetic-faces:32", spec)
        assert "does not say male" in drawn.notes[0]
        assert drawn.images.spec == spec

    def test_the_same_command_opens_the_same_pictures(
        self, call: CommandLine, run: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from latentbloom.fitting.whole_run import Fitting

        opened: list[Any] = []
        monkeypatch.setattr(
            Fitting, "run", lambda self, *given, **_: opened.append(given[0].source)
        )

        outcome = call("fit", *words, "--out", run)

        assert outcome.code == 0
        assert opened[0].spec.names == ("smiling", "male")
        assert opened[0].treatment == "crop 108"

    def test_another_choice_is_another_run(
        self, call: CommandLine, run: Path, words: list[str]
    ) -> None:
        outcome = call("fit", *words, "--crop", "148", "--factors", "male", "--out", run)

        assert outcome.code == 1
        assert "data.factors was 'smiling,male', now 'male'" in outcome.err
        assert "data.crop was 108, now 148" in outcome.err

    def test_show_reads_the_same_pictures(self, call: CommandLine, run: Path) -> None:
        outcome = call("show", run, "reconstructions")

        assert outcome.code == 0
        assert "reconstructions: reconstructions" in outcome.out
        assert "No real pictures" not in outcome.out

    def test_evaluate_against(
        self, call: CommandLine, run: Path, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is said about SOURCE arrives, and the scores are those of its pictures."""
        from latentbloom.evaluate import reference as module

        seen: dict[str, Any] = {}

        class SeenError(Exception):
            """Ends the command where scoring would begin."""

        def note(train: Any, val: Any, **_: Any) -> None:
            seen.update(train=train, val=val)
            raise SeenError

        monkeypatch.setattr(module, "prepare_reference", note)
        words = ["--against", "celeba", "--splits", "train,test", "--factors", "male,smiling"]
        with pytest.raises(SeenError):
            call("evaluate", run, *words)

        assert seen["val"].spec.names == ("smiling", "male")  # those of the run
        assert (len(seen["train"]), len(seen["val"])) == (24, 40)
        assert seen["val"].source.treatment == "crop 108"
        assert {e.name for e in seen["val"].entries} == {face(n) for n in range(1, 41)}
