"""Run an `evaluate` shard: figures of a job's images or of a checkpoint, beside a dataset."""

import io
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

import jobs
from diffusion import FeatureNetwork, load_feature_network
from diffusion.metrics.evaluation import evaluate_faces
from diffusion.metrics.neighbours import nearest_neighbour_sheet
from formats.faces import Faces, load_faces
from formats.xmp import SourceType
from jobs.artifacts import ArtifactStore
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.works import EvaluateWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.evaluating_checkpoints import checkpoint_figures
from worker.engine.evaluating_guided import guided_figures
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
LEAST_IMAGES = 100  # of which a distribution can be told
TOO_FEW = "left out: they need 100 images, these are {}"
OF_MERGES = "left out: merged faces are halves of their sources"
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
            seed = work.params.seed
            metrics = checkpoint_figures(shard, self._device, checkpoint, faces, seed)
            return [metrics_file(about | metrics)]
        return self._evaluate_job(shard, work, dataset.faces[order], about)

    def _evaluate_job(
        self, shard: ShardRun, work: EvaluateWork, faces: Faces, about: dict[str, Any]
    ) -> list[MadeFile]:
        """Measure a job's images beside faces, which are in random order."""
        assert work.job is not None  # one of the two is given
        images = load_faces(io.BytesIO(read_stored(self._artifacts, work.job.images)))
        if work.job.kind == "merge":
            plain = faces[: min(PLAIN_FACES, work.params.faces)]
            metrics = merge_figures(self._artifacts, work.job, images, plain)
            shard.done = PERCENT
            return [metrics_file(about | metrics | {"distribution_figures": OF_MERGES})]
        count = max(LEAST_REFERENCE, min(work.params.faces, len(faces) // 2))
        reference, others = faces[:count], faces[count : count + MOST_SEARCHED]
        training = others if len(others) >= LEAST_SEARCHED else None
        network = load_feature_network(FEATURE_NETWORK).to(self._device.device)
        metrics = {"images": len(images), "figures": []}
        if work.job.kind == "guided_sample":
            guided = partial(guided_figures, self._artifacts, work, images, reference, network)
            metrics |= shard.wait_for(guided)
        if len(images) < LEAST_IMAGES:
            metrics["distribution_figures"] = TOO_FEW.format(len(images))
            shard.done = PERCENT
            return [metrics_file(about | metrics)]
        measured = self._measure_images(shard, work, images, (reference, training), network)
        measured["figures"] = metrics["figures"] + measured["figures"]
        searched = reference if training is None else training
        sheet = shard.wait_for(lambda: nearest_neighbour_sheet(images[:MOST_SHOWN], searched))
        shard.done = PERCENT
        figure = picture_file(
            ArtifactRole.FIGURE,
            "nearest-neighbours.png",
            sheet,
            order_provenance(shard.order, dataset=about["dataset"]),
            SourceType.COMPOSITE,
        )
        return [metrics_file(about | metrics | measured), figure]

    def _measure_images(
        self,
        shard: ShardRun,
        work: EvaluateWork,
        images: Faces,
        beside: tuple[Faces, Faces | None],
        network: FeatureNetwork,
    ) -> dict[str, Any]:
        """Figures of images beside a reference, and whether they are copies of others."""
        reference, training = beside
        is_left = Event()

        def tell(share: float) -> None:
            if is_left.is_set():
                raise InterruptedError("nobody waits for these figures")
            shard.done = int(share * (PERCENT - 1))

        measure = partial(evaluate_faces, images, reference, network, training=training)
        try:
            metrics = shard.wait_for(partial(measure, seed=work.params.seed, callback=tell))
        except InterruptedShard:
            is_left.set()
            raise
        searched = 0 if training is None else len(training)
        return {"searched_faces": searched, **metrics}
