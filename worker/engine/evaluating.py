"""Run an `evaluate` shard: figures of a job's images or of a checkpoint, beside a dataset."""

import io
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

import jobs
from diffusion import Checkpoint, load_feature_network, predictor
from diffusion.metrics.evaluation import evaluate_faces
from diffusion.metrics.losses import eps_errors
from diffusion.metrics.neighbours import nearest_neighbour_sheet
from diffusion.training_data import TENTHS
from formats.faces import Faces, load_faces
from formats.xmp import SourceType
from jobs.artifacts import ArtifactStore
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.works import EvaluateWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.evaluating_merges import merge_figures
from worker.engine.made_files import metrics_file, picture_file
from worker.engine.shard import InterruptedShard, MadeFile, ShardRun
from worker.engine.stored_files import read_checkpoint, read_stored

FEATURE_NETWORK = Path(jobs.__file__).parent / "bundled" / "face-features.safetensors"
PERCENT = 100
LEAST_REFERENCE = 200  # faces that the figures need
LEAST_SEARCHED = 100  # faces: to look for copies among fewer says little
MOST_SEARCHED = 50_000  # faces: as pixels they take half a gigabyte
MOST_SHOWN = 1000  # images whose neighbours are looked for, to show ten of them
PLAIN_FACES = 2000  # whose seam energy is measured where no seam is
LOSS_FACES = 500  # that are noised to each tenth of the timesteps


class EvaluateRunner:
    """Measures images and checkpoints."""

    def __init__(self, artifacts: ArtifactStore, device: Device, datasets: Datasets) -> None:
        """Measure on `device`, beside faces of `datasets`."""
        self._artifacts = artifacts
        self._device = device
        self._datasets = datasets

    def run(self, shard: ShardRun, work: EvaluateWork) -> list[MadeFile]:
        """Measure what the parameters name.

        Raises:
            InterruptedShard: the consumer asked for it.
            ArtifactStoreError: images, checkpoint or faces cannot be read.
            FormatError: one of them is none.
        """
        dataset = self._datasets.load(shard, work.dataset)
        order = np.random.default_rng(work.params.seed).permutation(len(dataset.faces))
        about = {"kind": work.kind, "params": work.params.model_dump(), "dataset": dataset.name}
        if work.checkpoint is not None:
            checkpoint = read_checkpoint(self._artifacts, work.checkpoint)
            faces = dataset.faces[order[: min(LOSS_FACES, work.params.faces)]]
            metrics = self._measure_checkpoint(shard, checkpoint, faces, work.params.seed)
            return [metrics_file(about | metrics)]
        assert work.job is not None  # one of the two is given
        images = load_faces(io.BytesIO(read_stored(self._artifacts, work.job.images)))
        if work.job.kind == "merge":
            plain = dataset.faces[order[: min(PLAIN_FACES, work.params.faces)]]
            metrics = merge_figures(self._artifacts, work.job, images, plain)
            shard.done = PERCENT
            return [metrics_file(about | metrics)]
        count = max(LEAST_REFERENCE, min(work.params.faces, len(order) // 2))
        reference = dataset.faces[order[:count]]
        others = dataset.faces[order[count : count + MOST_SEARCHED]]
        training = others if len(others) >= LEAST_SEARCHED else None
        metrics = self._measure_images(shard, images, reference, training, work.params.seed)
        searched = reference if training is None else training
        sheet = shard.wait_for(lambda: nearest_neighbour_sheet(images[:MOST_SHOWN], searched))
        shard.done = PERCENT
        figure = picture_file(
            ArtifactRole.FIGURE,
            "nearest-neighbours.png",
            sheet,
            order_provenance(shard.order, dataset=dataset.name),
            SourceType.COMPOSITE,
        )
        return [metrics_file(about | metrics), figure]

    def _measure_images(
        self, shard: ShardRun, images: Faces, reference: Faces, training: Faces | None, seed: int
    ) -> dict[str, Any]:
        """Figures of images beside faces, and whether they are copies of others."""
        network = load_feature_network(FEATURE_NETWORK).to(self._device.device)
        is_left = Event()

        def tell(share: float) -> None:
            if is_left.is_set():
                raise InterruptedError("nobody waits for these figures")
            shard.done = int(share * (PERCENT - 1))

        measure = partial(evaluate_faces, images, reference, network, training=training)
        try:
            metrics = shard.wait_for(partial(measure, seed=seed, callback=tell))
        except InterruptedShard:
            is_left.set()
            raise
        searched = 0 if training is None else len(training)
        return {"images": len(images), "searched_faces": searched, **metrics}

    def _measure_checkpoint(
        self, shard: ShardRun, checkpoint: Checkpoint, faces: Faces, seed: int
    ) -> dict[str, Any]:
        """The mean squared error of eps in each tenth of the timesteps."""
        device = self._device.device
        predict = predictor(checkpoint.model, device, self._device.dtype)
        figures = []
        for tenth in range(TENTHS):
            parts = []
            for part in eps_errors(predict, checkpoint.betas, faces, tenth, seed, device):
                parts.append(part)
                shard.between_steps()
            figures.append(_loss_figure(tenth, len(checkpoint.betas), np.concatenate(parts)))
            shard.done = PERCENT * (tenth + 1) // TENTHS
        by_tenth = [figure["value"] for figure in figures]
        loss = sum(by_tenth) / TENTHS
        told = {"n": len(faces), "seed": seed, "loss": loss, "loss_by_tenth": by_tenth}
        return told | {"figures": figures}


def _loss_figure(tenth: int, timesteps: int, errors: NDArray[np.float64]) -> dict[str, Any]:
    """As one of `diffusion.metrics.evaluation.Figure`; what no network reaches has no floor."""
    first, last = tenth * timesteps // TENTHS + 1, (tenth + 1) * timesteps // TENTHS
    return {
        "name": f"eps_loss_t_{first}_to_{last}",
        "value": float(errors.mean()),
        "standard_error": float(errors.std(ddof=1) / np.sqrt(len(errors))),
        "floor": None,
        "n": len(errors),
        "better": "lower",
    }
