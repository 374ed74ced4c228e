"""bfloat16 gives the same bytes in every company, and stays close to float32."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from diffusion import (
    Purpose,
    UNet,
    has_fast_bfloat16,
    linear_betas,
    noise,
    plan,
    precision,
    predictor,
    sample,
)
from diffusion.precision import convolution_seconds

needs_bfloat16 = pytest.mark.skipif(
    not has_fast_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16 instructions"
)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    z = noise(0, range(100), 0, (1, 48, 48), Purpose.START)
    return z, torch.arange(0, 1000, 10)


@needs_bfloat16
@pytest.mark.parametrize("width", [32, 64])
def test_bfloat16_gives_the_same_bytes_for_every_batch_size_order_and_thread_count(
    unet: Callable[[int], UNet], batch: tuple[Tensor, Tensor], width: int
) -> None:
    predict = predictor(unet(width), dtype=torch.bfloat16)
    z, t = batch
    expected = predict(z, t)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))

    for threads in (1, 2):
        torch.set_num_threads(threads)
        for size in (1, 7, 25, 100):
            rows = order[:6] if size == 1 else order[: max(size, 50)]
            for some in rows.split(size):
                assert torch.equal(predict(z[some], t[some]), expected[some]), (threads, size)


@needs_bfloat16
def test_bfloat16_samples_are_the_same_bytes_in_other_batches(unet: Callable[[int], UNet]) -> None:
    predict = predictor(unet(8), dtype=torch.bfloat16)
    table = plan("ddpm", linear_betas(), 30)

    *_, whole = sample(predict, table, 3, range(12))
    *_, first = sample(predict, table, 3, range(7))
    *_, rest = sample(predict, table, 3, range(7, 12))

    assert torch.equal(torch.cat([first.z, rest.z]), whole.z)


def test_bfloat16_stays_close_to_float32(
    unet: Callable[[int], UNet], batch: tuple[Tensor, Tensor]
) -> None:
    model = unet(16)
    z, t = batch[0][:4], batch[1][:4]

    exact = predictor(model, dtype=torch.float32)(z, t)
    rounded = predictor(model, dtype=torch.bfloat16)(z, t)

    assert exact.dtype == rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.05


def test_float32_gives_the_networks_own_prediction(
    unet: Callable[[int], UNet], batch: tuple[Tensor, Tensor]
) -> None:
    model = unet(8)
    z, t = batch[0][:3], batch[1][:3]

    with torch.no_grad():
        expected = model(z, t)

    torch.testing.assert_close(predictor(model, dtype=torch.float32)(z, t), expected)


def test_readying_a_network_leaves_it_as_it_was(unet: Callable[[int], UNet]) -> None:
    model = unet(4).train()

    predict = predictor(model, dtype=torch.bfloat16)
    before = predict(torch.zeros(1, 1, 16, 16), torch.tensor([5]))
    with torch.no_grad():
        model.conv_last.bias += 1

    assert model.training
    assert model.conv_last.weight.dtype == torch.float32
    assert torch.equal(predict(torch.zeros(1, 1, 16, 16), torch.tensor([5])), before)


def test_eps_comes_in_the_dtype_of_z(unet: Callable[[int], UNet]) -> None:
    z = torch.zeros(1, 1, 16, 16, dtype=torch.float64)

    assert predictor(unet(4))(z, torch.tensor([0])).dtype == torch.float64


@needs_bfloat16
def test_the_last_convolution_is_not_rounded(
    unet: Callable[[int], UNet], batch: tuple[Tensor, Tensor]
) -> None:
    # What all pixels share is brightness: x_0 = (z − √(1−ᾱ)·eps) / √ᾱ makes it 12.6 times larger.
    model = unet(8)
    with torch.no_grad():
        model.conv_last.weight.zero_()
        model.conv_last.bias.fill_(0.1003)  # 0.1001 in bfloat16

    eps = predictor(model, dtype=torch.bfloat16)(*batch)

    assert torch.equal(eps, torch.full_like(eps, 0.1003))


class Layouts(TorchDispatchMode):
    """Keeps what each convolution was given."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if "convolution" in func.name() and "weight" not in func.name():
            self.convolutions.append((args[0], args[1]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_no_convolution_is_given_anything_but_channels_last(
    unet: Callable[[int], UNet], batch: tuple[Tensor, Tensor], dtype: torch.dtype
) -> None:
    predict = predictor(unet(8), dtype=dtype)

    with Layouts() as seen:
        predict(batch[0][:2], batch[1][:2])

    # Of 15 the first is a matrix product, and in bfloat16 the last a sum in float32.
    assert len(seen.convolutions) == (13 if dtype == torch.bfloat16 else 14)
    for x, weight in seen.convolutions:
        assert x.dtype == weight.dtype == dtype
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert weight.is_mkldnn or weight.stride(1) == 1


def test_bfloat16_must_also_be_measured_not_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    seconds = {torch.bfloat16: 2.0, torch.float32: 1.0}
    monkeypatch.setattr(precision, "convolution_seconds", seconds.__getitem__)
    decide = has_fast_bfloat16.__wrapped__

    assert not decide(torch.device("cpu"))
    seconds[torch.bfloat16] = 0.5
    assert decide(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    assert not decide(torch.device("cpu"))


def test_a_convolution_takes_time() -> None:
    assert 0 < convolution_seconds(torch.float32) < 60


def test_a_device_of_unknown_kind_gets_float32() -> None:
    assert not has_fast_bfloat16(torch.device("meta"))
