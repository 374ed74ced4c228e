"""Networks written to checkpoints come back as they were."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from diffusion import DataPrior, UNet, linear_betas, load_checkpoint, save_checkpoint
from formats.checkpoint import CheckpointDescription, import_checkpoint
from formats.errors import FormatError


def test_a_saved_network_comes_back_bit_for_bit(
    tmp_path: Path, unet: Callable[[int], UNet]
) -> None:
    model = unet(6)
    description = CheckpointDescription("unet", 6, 500, 2e-4, 0.02, dataset="none")

    save_checkpoint(tmp_path / "c.safetensors", model, description)
    loaded = load_checkpoint(tmp_path / "c.safetensors")

    assert loaded.description == description
    assert loaded.model.width == 6
    assert not loaded.model.training
    assert torch.equal(loaded.betas, linear_betas(500, 2e-4, 0.02))
    assert loaded.model.time_embeddings.shape == (500, 64)
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_prior_travels_with_its_network(
    tmp_path: Path, unet: Callable[[int], UNet], dtype: torch.dtype
) -> None:
    model, description = unet(4), CheckpointDescription("unet", 4)
    generator = torch.Generator().manual_seed(0)
    shapes = {"mean": (48, 48), "components": (3, 48, 48), "deviations": (3,)}
    prior = DataPrior(**{name: torch.rand(s, generator=generator) for name, s in shapes.items()})

    save_checkpoint(tmp_path / "with.safetensors", model, description, prior=prior, dtype=dtype)
    save_checkpoint(tmp_path / "without.safetensors", model, description, dtype=dtype)
    loaded = load_checkpoint(tmp_path / "with.safetensors")

    assert load_checkpoint(tmp_path / "without.safetensors").prior is None
    assert loaded.prior is not None
    for name in shapes:
        found, expected = getattr(loaded.prior, name), getattr(prior, name)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected.to(dtype).float()), name
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].to(dtype).float()), name


def test_a_prior_of_pictures_that_are_no_faces_is_not_saved(
    tmp_path: Path, unet: Callable[[int], UNet]
) -> None:
    prior = DataPrior(torch.zeros(16, 16), torch.zeros(2, 16, 16), torch.zeros(2))

    with pytest.raises(FormatError, match=r"prior\.mean is \(16, 16\) and must be \(48, 48\)"):
        save_checkpoint(
            tmp_path / "c.safetensors", unet(4), CheckpointDescription("unet", 4), prior=prior
        )


def test_half_precision_halves_the_file_and_rounds_the_weights(
    tmp_path: Path, unet: Callable[[int], UNet]
) -> None:
    model, description = unet(8), CheckpointDescription("unet", 8)

    save_checkpoint(tmp_path / "full.safetensors", model, description)
    save_checkpoint(tmp_path / "half.safetensors", model, description, dtype=torch.float16)
    loaded = load_checkpoint(tmp_path / "half.safetensors").model

    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].half().float()), name


def test_a_bare_state_dict_of_the_course_is_imported_and_loaded(
    tmp_path: Path, unet: Callable[[int], UNet]
) -> None:
    model = unet(64)
    torch.save(model.state_dict(), tmp_path / "diff_unet_faces.cpt")

    import_checkpoint(tmp_path / "diff_unet_faces.cpt", tmp_path / "native.safetensors")
    loaded = load_checkpoint(tmp_path / "native.safetensors")

    assert loaded.model.width == 64
    assert torch.equal(loaded.betas, linear_betas())
    z, t = torch.zeros(1, 1, 16, 16), torch.tensor([500])
    with torch.no_grad():
        assert torch.equal(loaded.model(z, t), model(z, t))


def test_a_description_of_another_width_is_refused(
    tmp_path: Path, unet: Callable[[int], UNet]
) -> None:
    with pytest.raises(FormatError, match="width"):
        save_checkpoint(tmp_path / "c.safetensors", unet(4), CheckpointDescription("unet", 8))
    assert list(tmp_path.iterdir()) == []
