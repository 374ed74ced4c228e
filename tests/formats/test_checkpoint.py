import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from formats.architectures import prior_shapes, unet_shapes
from formats.checkpoint import (
    CheckpointDescription,
    import_checkpoint,
    read_checkpoint,
    sha256_of,
    write_checkpoint,
)
from formats.errors import (
    BadDescriptionError,
    FormatError,
    NonFiniteWeightsError,
    WrongDtypeError,
    WrongShapeError,
    WrongTensorsError,
)

Save = Callable[..., Path]
Make = Callable[..., OrderedDict[str, torch.Tensor]]

DESCRIPTION = CheckpointDescription("unet", 2, dataset="synthetic", training={"steps": 5})


def _numpy(tensors: OrderedDict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def test_what_is_written_is_read_again(make_state_dict: Make, tmp_path: Path) -> None:
    arrays = _numpy(make_state_dict())

    write_checkpoint(tmp_path / "a.safetensors", arrays, DESCRIPTION)
    read, description = read_checkpoint(tmp_path / "a.safetensors")

    assert description == DESCRIPTION
    assert read.keys() == arrays.keys()
    for name, array in read.items():
        assert array.dtype == np.float32
        assert array.flags.writeable
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_prior_is_written_read_and_imported_with_its_network(
    make_state_dict: Make, tmp_path: Path, dtype: type
) -> None:
    random = np.random.default_rng(3)
    prior = {
        name: random.normal(size=shape).astype(dtype) for name, shape in prior_shapes(5).items()
    }
    arrays = _numpy(make_state_dict()) | prior

    write_checkpoint(tmp_path / "a.safetensors", arrays, DESCRIPTION)
    import_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    read, _ = read_checkpoint(tmp_path / "b.safetensors")

    assert read.keys() == arrays.keys()
    for name, array in prior.items():
        np.testing.assert_array_equal(read[name], array)
    with safe_open(tmp_path / "b.safetensors", "np") as file:
        assert file.get_tensor("prior.mean").dtype == dtype


def test_a_part_of_a_prior_or_a_wrong_one_is_not_written(
    make_state_dict: Make, tmp_path: Path
) -> None:
    arrays = _numpy(make_state_dict())
    prior = {name: np.zeros(shape, np.float32) for name, shape in prior_shapes(5).items()}
    wrong: list[tuple[dict[str, np.ndarray], type[FormatError]]] = [
        ({"prior.mean": prior["prior.mean"]}, WrongTensorsError),
        (prior | {"prior.mean": np.zeros((24, 24), np.float32)}, WrongShapeError),
        (prior | {"prior.mean": np.full((48, 48), np.nan, np.float32)}, NonFiniteWeightsError),
        (prior | {"prior.deviations": np.zeros(5)}, WrongDtypeError),
    ]

    for extra, error in wrong:
        with pytest.raises(error, match=r"prior\."):
            write_checkpoint(tmp_path / "a.safetensors", arrays | extra, DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_half_precision_stays_half_in_the_file(make_state_dict: Make, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    arrays = _numpy(make_state_dict(dtype=torch.float16))

    write_checkpoint(path, arrays, DESCRIPTION)
    read, _ = read_checkpoint(path)

    with safe_open(path, "np") as file:
        assert file.get_tensor("conv_last.weight").dtype == np.float16
    np.testing.assert_array_equal(read["conv_last.weight"], arrays["conv_last.weight"])


def test_the_safetensors_library_reads_what_is_written(
    make_state_dict: Make, tmp_path: Path
) -> None:
    arrays = _numpy(make_state_dict())
    arrays["dconv_up1.0.weight"] = np.asfortranarray(arrays["dconv_up1.0.weight"])

    write_checkpoint(tmp_path / "a.safetensors", arrays, DESCRIPTION)

    with safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.metadata() == {"darkroom": DESCRIPTION.to_json()}
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)


def test_writing_replaces_a_file_and_leaves_no_other(make_state_dict: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"older")

    write_checkpoint(path, _numpy(make_state_dict()), DESCRIPTION)

    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]
    assert read_checkpoint(path)[1] == DESCRIPTION


def test_wrong_weights_are_not_written(make_state_dict: Make, tmp_path: Path) -> None:
    arrays = _numpy(make_state_dict())
    arrays["conv_last.bias"][0] = np.nan

    with pytest.raises(NonFiniteWeightsError):
        write_checkpoint(tmp_path / "a.safetensors", arrays, DESCRIPTION)

    assert list(tmp_path.iterdir()) == []


def test_a_description_of_another_network_is_refused(make_state_dict: Make, tmp_path: Path) -> None:
    with pytest.raises(BadDescriptionError, match=r"width 4, but the tensors .* width 2"):
        write_checkpoint(
            tmp_path / "a.safetensors",
            _numpy(make_state_dict()),
            CheckpointDescription("unet", 4),
        )


def test_float64_weights_are_not_written(make_state_dict: Make, tmp_path: Path) -> None:
    with pytest.raises(WrongDtypeError, match="float64; allowed are float32 and float16"):
        write_checkpoint(
            tmp_path / "a.safetensors", _numpy(make_state_dict(dtype=torch.float64)), DESCRIPTION
        )


def test_a_native_checkpoint_keeps_its_description_when_imported(
    make_state_dict: Make, tmp_path: Path
) -> None:
    described = CheckpointDescription("unet", 2, timesteps=500, source="trained here")
    write_checkpoint(tmp_path / "a.safetensors", _numpy(make_state_dict()), described)

    assert import_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors") == described
    assert sha256_of(tmp_path / "a.safetensors") == sha256_of(tmp_path / "b.safetensors")


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")

    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_every_tensor_of_the_architecture_is_in_the_file(
    make_state_dict: Make, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "a.safetensors", _numpy(make_state_dict()), DESCRIPTION)

    with safe_open(tmp_path / "a.safetensors", "np") as file:
        assert set(file.keys()) == set(unet_shapes(2))
