"""Networks to measure with: what can be had is used, and what cannot is refused in words."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from latentbloom.errors import ConfigError
from latentbloom.evaluate.features import extractor as extractor_module
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.features.networks import extractor_for


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 1, 32, 32), generator=generator, dtype=torch.uint8)


def no_network(*args: object, **kwargs: object) -> dict[str, torch.Tensor]:
    raise URLError("no route to host")


def test_the_network_of_the_perceptual_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="trained with efficientnet-lite0 as its perceptual loss"):
        extractor_for("efficientnet-lite0", perceptual="efficientnet-lite0")
    with pytest.raises(
        ConfigError, match="asked for vgg16 .* it was trained with efficientnet-lite0"
    ):
        extractor_for("efficientnet-lite0", perceptual="vgg16")
    assert extractor_for("efficientnet-lite0").tag == "efficientnet-lite0/112"


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'vgg' is no network for scores\. Known: efficientnet-l"
    ):
        extractor_for("vgg")


def test_inception_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(
        ConfigError, match=r"need torch-fidelity, .*pip install 'latentbloom\[scores\]'"
    ):
        extractor_for("inception")


def test_inception_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", no_network)
    with pytest.raises(ConfigError, match=r"downloaded \(no route to host\)\. They were not"):
        extractor_for("inception")


def test_inception_is_used_where_its_weights_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: torch.Tensor
) -> None:
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    # A network of the right shape with weights of chance, in the place of the official file.
    blank: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *args, **kwargs: blank)
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "load_state_dict", lambda self, state: None)
        net = theirs.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    load = torch.load

    def read(path: str | Path, **how: object) -> object:
        ours = "weights-inception" in str(path)
        return net.state_dict() if ours else load(path, weights_only=True)

    monkeypatch.setattr(torch, "load", read)
    asked: dict[str, object] = {}

    def fetched(url: str, **how: object) -> dict[str, torch.Tensor]:
        asked.update(how)
        return {}

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fetched)
    extractor = extractor_for("inception")
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    found = extractor(pictures)
    assert extractor.tag == "inception-v3/299"
    expected = net(pictures.expand(-1, 3, -1, -1))[0]
    np.testing.assert_allclose(found.pooled, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_dinov2_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install transformers"):
        extractor_for("dinov2")


def test_dinov2_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(name: str, **how: object) -> object:
        assert how == {"use_safetensors": True, "trust_remote_code": False}
        raise OSError(f"{name} is not cached")

    auto = SimpleNamespace(AutoModel=SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setitem(sys.modules, "transformers", auto)
    with pytest.raises(ConfigError, match="facebook/dinov2-small is not cached"):
        extractor_for("dinov2")


def test_a_model_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: torch.Tensor
) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"weights")
    seen: list[np.ndarray] = []

    class Session:
        def __init__(self, file: str, providers: list[str]) -> None:
            assert file == str(path)

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name="x", shape=["batch", 3, 16, 16])]

        def run(self, outputs: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            seen.append(feed["x"])
            return [feed["x"]]  # (B, 3, 16, 16): pooled over places afterwards

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    extractor = extractor_for(str(path))
    found = extractor(pictures)
    assert seen[0].shape == (3, 3, 16, 16)
    assert seen[0].min() >= -1.0
    assert seen[0].max() <= 1.0
    np.testing.assert_allclose(found.pooled, seen[0].mean(axis=(2, 3)), rtol=1e-5, atol=1e-6)
    assert extractor.tag.startswith("mine-")
    assert extractor.tag.endswith("/16")
    # The classifier still reads the packaged network.
    np.testing.assert_array_equal(found.grid, FeatureExtractor()(pictures).grid)


def test_the_device_of_runs_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor_module, "default_device", lambda: torch.device("meta"))
    monkeypatch.setattr(FeatureExtractor, "_runs", lambda self: True)
    assert extractor_for("efficientnet-lite2").device.type == "meta"
    lite0 = extractor_for("efficientnet-lite0")
    assert lite0._measure is not None
    assert {p.device.type for p in lite0._measure.parameters()} == {"meta"}
    assert extractor_for("efficientnet-lite2", device="cpu").device.type == "cpu"


def test_a_device_that_lacks_an_operation_gives_way_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, pictures: torch.Tensor
) -> None:
    expected = FeatureExtractor("cpu")(pictures)
    maps, move = FeatureExtractor.maps, FeatureExtractor._move

    def lacking(self: FeatureExtractor, pictures: torch.Tensor) -> list[torch.Tensor]:
        if self.device.type != "cpu":
            raise NotImplementedError("adaptive pooling is not implemented here")
        return maps(self, pictures)

    def pretend(self: FeatureExtractor, device: torch.device) -> None:
        move(self, torch.device("cpu"))  # this machine may have no other
        self.device = device

    monkeypatch.setattr(extractor_module, "default_device", lambda: torch.device("mps"))
    monkeypatch.setattr(FeatureExtractor, "maps", lacking)
    monkeypatch.setattr(FeatureExtractor, "_move", pretend)
    extractor = FeatureExtractor()
    assert extractor.device.type == "cpu"
    np.testing.assert_array_equal(extractor(pictures).pooled, expected.pooled)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no file .*none\.onnx"):
        extractor_for(str(tmp_path / "none.onnx"))
