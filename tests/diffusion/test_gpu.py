"""What only a GPU can show: graphs give what the network gives, and noise stays where z is."""

from collections.abc import Callable

import pytest
import torch

from diffusion import (
    NonFiniteSampleError,
    Purpose,
    SampleStep,
    UNet,
    linear_betas,
    noise,
    plan,
    predictor,
    sample,
)
from diffusion.cuda_graphs import BATCHES, smallest_batch

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"
)
FACE = (1, 48, 48)


@pytest.fixture
def whole_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TF32: cuDNN otherwise rounds what it convolves in float32 to 10 bits of mantissa."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize(("images", "batch"), [(0, 1), (1, 1), (2, 4), (25, 25), (26, 50)])
def test_a_graph_is_the_smallest_that_holds_the_images(images: int, batch: int) -> None:
    assert smallest_batch(images) == batch
    assert smallest_batch(BATCHES[-1]) == BATCHES[-1]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.usefixtures("whole_float32")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("images", [1, 3, 25, 600])
def test_graphs_predict_what_the_network_predicts_on_the_cpu(
    unet: Callable[[int], UNet], dtype: torch.dtype, images: int
) -> None:
    model = unet(16)
    z, t = noise(0, range(images), 0, FACE, Purpose.START), torch.arange(images)
    expected = predictor(model, "cpu", torch.float32)(z, t)
    predict = predictor(model, "cuda", dtype)

    for _ in range(2):  # captured, and run again
        found = predict(z.cuda(), t.cuda()).cpu()

        assert (found - expected).norm() / expected.norm() < (
            1e-3 if dtype == torch.float32 else 0.05
        )


@pytest.mark.gpu
@needs_gpu
def test_a_smaller_batch_does_not_see_what_a_larger_one_left(unet: Callable[[int], UNet]) -> None:
    predict = predictor(unet(8), "cuda", torch.float32)
    z, t = noise(0, range(25), 0, FACE, Purpose.START).cuda(), torch.arange(25).cuda()

    alone = predict(z[:11], t[:11])
    predict(torch.full_like(z, torch.nan), t)

    torch.testing.assert_close(predict(z[:11], t[:11]), alone)


@pytest.mark.gpu
@needs_gpu
def test_samples_are_those_of_the_cpu(unet: Callable[[int], UNet]) -> None:
    model = unet(8)
    table = plan("ddpm", linear_betas(), 40)
    start = noise(3, range(5), 0, FACE, Purpose.START)

    *_, on_cpu = sample(predictor(model, "cpu", torch.float32), table, 3, range(5))
    *_, on_gpu = sample(
        predictor(model, "cuda", torch.float32),
        table,
        3,
        range(5),
        start=SampleStep(0, start.cuda()),
    )

    assert on_gpu.z.device.type == "cuda"
    torch.testing.assert_close(on_gpu.z.cpu(), on_cpu.z, rtol=0, atol=0.02)


@pytest.mark.gpu
@needs_gpu
def test_an_overflow_is_noticed_within_16_steps(unet: Callable[[int], UNet]) -> None:
    table = plan("ddim", linear_betas(), 40)
    start = SampleStep(0, noise(3, range(2), 0, FACE, Purpose.START).cuda())

    def overflowing(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.full_like(z, torch.inf)

    with pytest.raises(NonFiniteSampleError, match="one of steps 0 to 15 made 2 images"):
        list(sample(overflowing, table, 3, range(2), start=start))
