"""Faces that an order names: read from the artifact store or rendered, and kept for the next."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusion import DataPrior, fit_prior
from formats.faces import Ages, Faces, check_equal_length, load_ages, load_faces
from jobs.artifacts import ArtifactStore
from jobs.works import DatasetReference, StoredDataset, SyntheticDataset
from synthetic import synthetic_faces
from worker.engine.shard import ShardRun
from worker.engine.stored_files import read_stored

RENDERED_AT_ONCE = 250  # faces between two words: about a tenth of a second


@dataclass(frozen=True, eq=False)
class LoadedDataset:
    """A dataset in memory.

    Attributes:
        name: for people.
        faces: gray, uint8 (N, 48, 48).
        ages: in years, (N,), where the dataset has them; missing and wrong ones among them.
    """

    name: str
    faces: Faces
    ages: Ages | None


class Datasets:
    """Loads datasets; keeps the last one, and its prior, in memory."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        """Read stored datasets out of `artifacts`."""
        self._artifacts = artifacts
        self._kept: tuple[DatasetReference, LoadedDataset] | None = None
        self._kept_prior: tuple[DatasetReference, DataPrior] | None = None

    def load(self, shard: ShardRun, reference: DatasetReference) -> LoadedDataset:
        """The faces of this dataset, and their ages.

        Raises:
            InterruptedShard: the consumer asked for it.
            ArtifactStoreError: a file cannot be read, or is another one than is meant.
            FormatError: a file holds no faces or ages.
        """
        if self._kept is None or self._kept[0] != reference:
            self._kept = None  # two large ones need not be in memory at once
            if isinstance(reference, StoredDataset):
                dataset = self._read(reference)
            else:
                dataset = _render(shard, reference)
            self._kept = (reference, dataset)
        return self._kept[1]

    def faces_at(
        self, shard: ShardRun, reference: DatasetReference, indices: Sequence[int]
    ) -> Faces:
        """The faces of these indices, uint8 (len(indices), 48, 48); none else is rendered for them.

        Raises:
            InterruptedShard, ArtifactStoreError, FormatError: see `load`.
        """
        is_kept = self._kept is not None and self._kept[0] == reference
        if is_kept or isinstance(reference, StoredDataset):
            return self.load(shard, reference).faces[list(indices)]
        return np.concatenate([synthetic_faces(1, reference.seed, index)[0] for index in indices])

    def prior(self, shard: ShardRun, reference: DatasetReference) -> DataPrior:
        """Mean and leading principal components of this dataset's faces.

        Raises:
            InterruptedShard, ArtifactStoreError, FormatError: see `load`.
        """
        if self._kept_prior is None or self._kept_prior[0] != reference:
            faces = self.load(shard, reference).faces
            self._kept_prior = (reference, shard.wait_for(lambda: fit_prior(faces)))
        return self._kept_prior[1]

    def _read(self, reference: StoredDataset) -> LoadedDataset:
        faces = load_faces(io.BytesIO(read_stored(self._artifacts, reference.faces)))
        ages = None
        if reference.ages is not None:
            ages = load_ages(io.BytesIO(read_stored(self._artifacts, reference.ages)))
            check_equal_length(faces, ages)
        return LoadedDataset(reference.name, faces, ages)


def _render(shard: ShardRun, reference: SyntheticDataset) -> LoadedDataset:
    faces, ages = [], []
    for first in range(0, reference.count, RENDERED_AT_ONCE):
        shard.between_steps()
        count = min(RENDERED_AT_ONCE, reference.count - first)
        some_faces, some_ages = synthetic_faces(count, reference.seed, first)
        faces.append(some_faces)
        ages.append(some_ages)
    name = f"synthetic faces 0 to {reference.count - 1} of seed {reference.seed}"
    return LoadedDataset(name, np.concatenate(faces), np.concatenate(ages))
