"""Checkpoints of others become native ones, or are refused with what is wrong with them."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from diffusion import UNet
from diffusion import save_checkpoint as save_native
from formats.checkpoint import (
    CheckpointDescription,
    import_checkpoint,
    read_checkpoint,
    sha256_of,
)
from formats.errors import (
    BadDescriptionError,
    FormatError,
    NonFiniteWeightsError,
    NotACheckpointError,
    OldTorchFormatError,
    TruncatedCheckpointError,
    WrongDtypeError,
    WrongShapeError,
    WrongTensorsError,
)

Save = Callable[..., Path]
Make = Callable[..., OrderedDict[str, torch.Tensor]]


def test_a_course_checkpoint_of_full_width_is_imported(
    make_state_dict: Make, save_cpt: Save, tmp_path: Path
) -> None:
    saved = make_state_dict(width=64)
    source = save_cpt(saved)

    description = import_checkpoint(source, tmp_path / "imported.safetensors")
    arrays, read_description = read_checkpoint(tmp_path / "imported.safetensors")

    assert description == read_description
    assert description == CheckpointDescription(
        "unet", 64, source=f"imported, sha256 {sha256_of(source)}"
    )
    assert sum(array.size for array in arrays.values()) == 7_966_081
    for name, tensor in saved.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_course_checkpoints_of_other_precisions_are_imported(
    dtype: torch.dtype, make_state_dict: Make, save_cpt: Save, tmp_path: Path
) -> None:
    saved = make_state_dict(dtype=dtype)

    import_checkpoint(save_cpt({"model": saved}), tmp_path / "imported.safetensors")
    arrays, _ = read_checkpoint(tmp_path / "imported.safetensors")

    for name, tensor in saved.items():
        np.testing.assert_array_equal(arrays[name], tensor.float().numpy())


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(torch.float32, "F32"), (torch.float16, "F16"), (torch.bfloat16, "F32")],
    ids=str,
)
def test_safetensors_of_others_are_imported(
    dtype: torch.dtype, kept: str, make_state_dict: Make, tmp_path: Path
) -> None:
    saved = make_state_dict(dtype=dtype)
    save_file(saved, tmp_path / "foreign.safetensors")

    description = import_checkpoint(tmp_path / "foreign.safetensors", tmp_path / "a.safetensors")
    arrays, _ = read_checkpoint(tmp_path / "a.safetensors")

    assert description.width == 2
    assert description.timesteps == 1000
    with safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.get_slice("conv_last.weight").get_dtype() == kept
    for name, tensor in saved.items():
        np.testing.assert_array_equal(arrays[name], tensor.float().numpy())


def test_safetensors_without_a_description_are_not_native(
    make_state_dict: Make, tmp_path: Path
) -> None:
    save_file(make_state_dict(), tmp_path / "foreign.safetensors")

    with pytest.raises(BadDescriptionError, match="import the file first"):
        read_checkpoint(tmp_path / "foreign.safetensors")


def _with_nan(state_dict: OrderedDict[str, torch.Tensor]) -> None:
    state_dict["dconv_up2.0.weight"][0, 0, 0, 0] = torch.nan


def _with_infinity(state_dict: OrderedDict[str, torch.Tensor]) -> None:
    state_dict["dconv_up2.0.weight"][0, 0, 0, 0] = -torch.inf


def _with_a_wrong_shape(state_dict: OrderedDict[str, torch.Tensor]) -> None:
    state_dict["dconv_up2.0.weight"] = torch.zeros(1, 2, 3)


def _without_a_tensor(state_dict: OrderedDict[str, torch.Tensor]) -> None:
    del state_dict["dconv_up2.0.weight"]


def _with_integers(state_dict: OrderedDict[str, torch.Tensor]) -> None:
    state_dict["dconv_up2.0.weight"] = state_dict["dconv_up2.0.weight"].long()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_with_nan, NonFiniteWeightsError),
        (_with_infinity, NonFiniteWeightsError),
        (_with_a_wrong_shape, WrongShapeError),
        (_without_a_tensor, WrongTensorsError),
        (_with_integers, WrongDtypeError),
    ],
)
@pytest.mark.parametrize("kind", ["cpt", "safetensors"])
def test_wrong_weights_are_named_and_not_imported(
    kind: str,
    spoil: Callable[[OrderedDict[str, torch.Tensor]], None],
    error: type[FormatError],
    make_state_dict: Make,
    tmp_path: Path,
) -> None:
    state_dict = make_state_dict()
    spoil(state_dict)
    source = tmp_path / "spoiled"
    if kind == "cpt":
        torch.save(state_dict, source)
    else:
        save_file(state_dict, source)

    with pytest.raises(error, match=r"dconv_up2\.0\.weight"):
        import_checkpoint(source, tmp_path / "imported.safetensors")

    assert not (tmp_path / "imported.safetensors").exists()


def test_half_precision_nan_is_found_in_bfloat16_too(
    make_state_dict: Make, save_cpt: Save, tmp_path: Path
) -> None:
    state_dict = make_state_dict(dtype=torch.bfloat16)
    _with_nan(state_dict)

    with pytest.raises(NonFiniteWeightsError, match="1 values that are NaN or infinite, of"):
        import_checkpoint(save_cpt(state_dict), tmp_path / "imported.safetensors")


@pytest.mark.parametrize("start", [b"\x80\x10", b"\x80\x02", b"PK"])
def test_a_header_of_any_length_is_told_from_other_files(start: bytes, tmp_path: Path) -> None:
    source = tmp_path / "source.safetensors"
    save_native(source, UNet(2), CheckpointDescription("unet", 2))
    content = source.read_bytes()
    ends_at = 8 + int.from_bytes(content[:8], "little")
    length = int.from_bytes(start, "little")  # so the file begins as a pickle does, or a zip
    while length < ends_at - 8:
        length += 2**16
    header = content[8:ends_at].ljust(length)
    source.write_bytes(length.to_bytes(8, "little") + header + content[ends_at:])
    assert source.read_bytes().startswith(start)

    import_checkpoint(source, tmp_path / "imported.safetensors")

    for name, array in read_checkpoint(source)[0].items():
        np.testing.assert_array_equal(
            read_checkpoint(tmp_path / "imported.safetensors")[0][name], array
        )


def test_the_old_format_of_torch_says_how_to_save_again(
    make_state_dict: Make, save_cpt: Save, tmp_path: Path
) -> None:
    source = save_cpt(make_state_dict(), _use_new_zipfile_serialization=False)

    with pytest.raises(OldTorchFormatError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
        import_checkpoint(source, tmp_path / "imported.safetensors")


@pytest.mark.parametrize("content", [b"", b"P", b"hello", b"GIF89a" * 10, bytes(1000)])
def test_other_files_are_no_checkpoints(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(content)

    with pytest.raises(NotACheckpointError, match=f"a file of {len(content)} bytes"):
        import_checkpoint(tmp_path / "source", tmp_path / "imported.safetensors")


def test_truncated_files_of_both_kinds_are_truncated_checkpoints(
    make_state_dict: Make, save_cpt: Save, tmp_path: Path
) -> None:
    whole = save_cpt(make_state_dict())
    import_checkpoint(whole, tmp_path / "native.safetensors")

    for path in (whole, tmp_path / "native.safetensors"):
        content = path.read_bytes()
        for share in (0.1, 0.5, 0.99):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(TruncatedCheckpointError):
                import_checkpoint(path, tmp_path / "imported.safetensors")
