"""NaN and infinity are noticed at the next look, whatever became of them meanwhile."""

import pytest
import torch

from diffusion import NonFiniteSampleError
from diffusion.finite_watch import FiniteWatch

FINE = torch.zeros(3, 1, 2, 2)
IMAGES = [10, 20, 30]


def bad(*rows: int) -> torch.Tensor:
    z = FINE.clone()
    for row in rows:
        z[row, 0, 1, 1] = torch.nan if row % 2 else torch.inf
    return z


def watch_all(zs: list[torch.Tensor], steps_between_looks: int) -> None:
    watch = FiniteWatch(IMAGES, torch.device("cpu"), steps_between_looks)
    for step, z in enumerate(zs):
        watch.see(step, z, is_last=step == len(zs) - 1)


def test_finite_images_pass() -> None:
    watch_all([FINE] * 10, 4)


def test_each_step_is_looked_at_and_named() -> None:
    with pytest.raises(NonFiniteSampleError, match=r"^step 2 made 1 images") as caught:
        watch_all([FINE, FINE, bad(1), FINE], 1)

    assert (caught.value.first_step, caught.value.step) == (2, 2)
    assert caught.value.image_indices == (20,)


def test_between_looks_all_is_kept_and_the_steps_are_named() -> None:
    with pytest.raises(NonFiniteSampleError, match=r"^one of steps 4 to 7 made 2 images") as caught:
        watch_all([FINE] * 5 + [bad(2), bad(0), *[FINE] * 9], 4)

    assert (caught.value.first_step, caught.value.step) == (4, 7)
    assert caught.value.image_indices == (10, 30)


def test_the_last_step_is_looked_at() -> None:
    with pytest.raises(NonFiniteSampleError, match=r"^one of steps 4 to 5 made 1 images"):
        watch_all([FINE] * 5 + [bad(0)], 4)
