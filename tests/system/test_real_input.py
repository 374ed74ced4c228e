"""What people bring: the course's checkpoint files, and their folders of faces."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion import UNet, linear_betas, plan, predictor, sample
from formats.faces import from_unit_range, load_faces

FACES_VARIABLE = "DARKROOM_TEST_FACES"
COURSE_PARAMETERS = 7_966_081
SEED = 11


@pytest.fixture
def course_network() -> UNet:
    torch.manual_seed(5)
    return UNet(width=64)


@pytest.fixture
def course_file(course_network: UNet, tmp_path: Path) -> Path:
    """A bare state_dict by `torch.save`, as the course hands it out."""
    state = course_network.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == COURSE_PARAMETERS
    path = tmp_path / "diff_unet_faces.cpt"
    torch.save(state, path)
    return path


def test_a_checkpoint_of_the_course_is_imported_and_sampled(system, course_network, course_file):
    checkpoint = system.service.import_checkpoint(course_file, "diff_unet_faces")
    system.start_dispatcher()
    system.start_worker(precision="float32", device="cpu")

    job = system.submit(checkpoint=checkpoint.id, count=4, num_inference_steps=5, seed=SEED)
    ended = system.wait_ended(job.id, 120)

    assert ended.status == "succeeded", ended.error
    assert (checkpoint.architecture, checkpoint.width) == ("unet", 64)
    images = np.load(io.BytesIO(system.images(job.id)))
    table = plan("ddpm", linear_betas(), 5)
    torch.set_num_threads(1)
    *_, last = sample(predictor(course_network, dtype=torch.float32), table, SEED, range(4))
    assert np.array_equal(images, from_unit_range(last.z[:, 0].numpy()))


def test_real_faces_load():
    folder = os.environ.get(FACES_VARIABLE)
    if not folder:
        pytest.skip(f"{FACES_VARIABLE} names no folder of *.npy.gz faces")
    files = sorted(Path(folder).glob("*face*.npy.gz"))
    assert files, f"{folder} holds no faces"

    for path in files:
        faces = load_faces(path)
        assert faces.shape[1:] == (48, 48)
        assert faces.dtype == np.uint8
        assert len(faces) > 0
        assert 20 < faces.mean() < 235  # pictures, neither black nor white
        assert faces.std(axis=(1, 2)).min() > 0
