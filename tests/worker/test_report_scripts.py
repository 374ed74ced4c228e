"""The scripts of a report's zip make the bytes that the engine makes."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffusion import save_checkpoint
from diffusion.regressor import AgeRegressor
from formats.checkpoint import sha256_of
from formats.description import CheckpointDescription
from jobs.artifacts import checkpoint_path
from jobs.messages import ShardOrder
from jobs.requests import GuidedSampleParams, MergeParams, SampleParams, TrainRegressorParams
from jobs.works import (
    DatasetFace,
    FileReference,
    GuidedSampleWork,
    MergeSources,
    MergeWork,
    SampleWork,
    SyntheticDataset,
    TrainRegressorWork,
)
from reports.scripts import guided_sample, merge, sample, train_regressor
from synthetic import synthetic_faces


@pytest.fixture
def run_script(monkeypatch, tmp_path, artifacts, worker_settings) -> Callable[..., bytes]:
    """Runs a script in this process, and gives the images that it wrote."""

    def run(script: Any, params: Any, *options: str, **networks: FileReference) -> bytes:
        store = Path(worker_settings.artifacts_url)
        files = {f"{field}_file": str(store / file.path) for field, file in networks.items()}
        path, out = tmp_path / "params.json", tmp_path / "out"
        path.write_text(json.dumps(params.model_dump(mode="json") | files))
        arguments = ["--params", str(path), "--out", str(out), "--precision", "float32"]
        monkeypatch.setattr(sys, "argv", ["script", *arguments, *options])
        script.main()
        images = out / "images.npy"
        return images.read_bytes() if images.exists() else b""

    return run


@pytest.fixture
def keep_regressor(artifacts, tmp_path) -> Callable[[], FileReference]:
    """Keeps an untrained age regressor in the store."""

    def keep() -> FileReference:
        torch.manual_seed(1)
        path = tmp_path / "regressor.safetensors"
        save_checkpoint(path, AgeRegressor(8), CheckpointDescription("age_regressor", 8))
        sha256 = sha256_of(path)
        artifacts.write_bytes(checkpoint_path(sha256), path.read_bytes())
        return FileReference(path=checkpoint_path(sha256), sha256=sha256)

    return keep


def order(work: Any) -> ShardOrder:
    return ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work)


@pytest.mark.parametrize(
    "params",
    [
        {"variance": "posterior"},
        {"sampler": "ddim", "eta": 0.5, "timesteps": "trailing"},
        {"sampler": "dpmpp_2m", "clip_x_0": True},
    ],
)
def test_sample(inner_engine, run_script, keep_network, params):
    network = keep_network()
    asked = SampleParams(seed=7, count=3, num_inference_steps=4, **params)
    work = SampleWork(params=asked, checkpoint=network, first_image=0, image_count=3)

    made = inner_engine.run(order(work))["images.npy"].content

    assert run_script(sample, asked, checkpoint=network) == made


def test_sample_from_a_prior(inner_engine, run_script, keep_network, monkeypatch):
    network = keep_network()
    asked = SampleParams(
        seed=7, count=2, num_inference_steps=2, prior="data", prior_dataset="synthetic"
    )
    dataset = SyntheticDataset(count=60, seed=1)
    work = SampleWork(
        params=asked, checkpoint=network, prior_dataset=dataset, first_image=0, image_count=2
    )
    render = sample.synthetic_faces
    monkeypatch.setattr(sample, "synthetic_faces", lambda count, seed: render(60, seed))

    made = inner_engine.run(order(work))["images.npy"].content

    assert run_script(sample, asked, checkpoint=network) == made


def test_options_make_it_short(run_script, keep_network):
    asked = SampleParams(seed=7)

    images = run_script(
        sample, asked, "--count", "2", "--num-inference-steps", "3", checkpoint=keep_network()
    )

    assert len(images) == 128 + 2 * 48 * 48


def test_train_regressor(inner_engine, run_script, keep_network, tmp_path):
    network = keep_network()
    given = {"seed": 7, "width": 8, "steps": 3, "batch_size": 8, "synthetic_count": 100}
    asked = TrainRegressorParams(**given, timestep_power=4, low_noise_share=0.5)
    dataset = SyntheticDataset(count=100, seed=1)
    work = TrainRegressorWork(params=asked, dataset=dataset, checkpoint=network)

    made = inner_engine.run(order(work))

    run_script(train_regressor, asked, checkpoint=network)
    written = (tmp_path / "out" / "regressor.safetensors").read_bytes()
    assert weights(written) == weights(made["age-regressor-8.safetensors"].content)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["mae_by_tenth"] == json.loads(made["metrics.json"].content)["mae_by_tenth"]


def test_train_regressor_that_goes_on_from_another(
    inner_engine, run_script, keep_network, keep_regressor, tmp_path
):
    networks = {"checkpoint": keep_network(), "initial": keep_regressor()}
    given = {"seed": 7, "width": 8, "steps": 3, "batch_size": 8, "synthetic_count": 100}
    asked = TrainRegressorParams(**given, initial="0123456789abcdef")
    work = TrainRegressorWork(params=asked, dataset=SyntheticDataset(count=100, seed=1), **networks)

    made = inner_engine.run(order(work))

    run_script(train_regressor, asked, **networks)
    written = (tmp_path / "out" / "regressor.safetensors").read_bytes()
    assert weights(written) == weights(made["age-regressor-8.safetensors"].content)


def weights(content: bytes) -> bytes:
    """The tensors' bytes of safetensors, without what is said of them."""
    length = int.from_bytes(content[:8], "little")
    return content[8 + length :]


def test_faces_that_were_uploaded_are_asked_for(run_script, keep_network, capsys):
    asked = TrainRegressorParams(seed=7, width=8, steps=3, dataset="0123456789abcdef")

    with pytest.raises(SystemExit):
        run_script(train_regressor, asked, checkpoint=keep_network())

    assert "give --faces and --ages" in capsys.readouterr().err


@pytest.mark.parametrize(
    "params",
    [
        {"mask": "top_bottom"},
        {"sampler": "ddim", "eta": 0.5, "method": "repaint", "jump_length": 2, "resamplings": 2},
    ],
)
def test_merge(inner_engine, run_script, keep_network, tmp_path, params):
    network = keep_network()
    sources, _ = synthetic_faces(4, 1)
    np.save(tmp_path / "sources.npy", sources.reshape(2, 2, 48, 48))
    faces = [[0, 1], [2, 3]]
    asked = MergeParams(seed=7, faces=faces, timesteps=[50, 600], num_inference_steps=8, **params)
    pairs = [(DatasetFace(index=first), DatasetFace(index=second)) for first, second in faces]
    dataset = SyntheticDataset(count=10, seed=1)
    merged = MergeSources(pairs=pairs, dataset=dataset, mask=None)

    made = [
        images_of(
            inner_engine,
            MergeWork(
                params=asked, checkpoint=network, sources=merged, first_image=first, image_count=2
            ),
        )
        for first in (0, 2)
    ]

    images = np.load(io.BytesIO(run_script(merge, asked, checkpoint=network)))
    assert np.array_equal(images, np.concatenate(made))


def images_of(engine, work) -> np.ndarray:
    files = engine.run(order(work))
    return np.load(io.BytesIO(files["images.npy"].content))


@pytest.mark.parametrize(
    "params",
    [
        {"guidance_form": "mean", "shared_noise": False},
        {
            **{"sampler": "ddim", "guidance_form": "eps", "guidance_gradient": "x_0"},
            **{"guidance_clip": 0.2, "guidance_sigma_max": 5.0},
        },
    ],
)
def test_guided_sample(inner_engine, run_script, keep_network, keep_regressor, params):
    networks = {"checkpoint": keep_network(), "regressor": keep_regressor()}
    asked = GuidedSampleParams(
        **{"seed": 7, "target_ages": [20, 70], "faces_per_age": 3, "num_inference_steps": 3},
        **{"guidance": "plain", "guidance_scale": 0.2},
        **params,
    )
    work = GuidedSampleWork(params=asked, **networks, first_image=0, image_count=6)

    made = inner_engine.run(order(work))["images.npy"].content

    assert run_script(guided_sample, asked, **networks) == made
