"""Datasets as a worker has them."""

import hashlib
import io

import numpy as np
import pytest
import torch

from diffusion import fit_prior
from formats.errors import LengthMismatchError
from jobs.errors import ArtifactStoreError
from jobs.messages import ShardOrder
from jobs.requests import SampleParams
from jobs.works import AssembleWork, FileReference, StoredDataset, SyntheticDataset
from synthetic import synthetic_faces
from worker.engine import datasets as datasets_module
from worker.engine.datasets import Datasets
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working


@pytest.fixture
def datasets(artifacts) -> Datasets:
    return Datasets(artifacts)


@pytest.fixture
def shard(inner_engine):
    work = AssembleWork(params=SampleParams(seed=1), pieces=[])
    return inner_engine.shard(ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work))


@pytest.fixture
def keep(artifacts):
    """Keeps an array in the store."""

    def keep_array(name: str, array: np.ndarray) -> FileReference:
        content = io.BytesIO()
        np.save(content, array)
        artifacts.write_bytes(name, content.getvalue())
        return FileReference(path=name, sha256=hashlib.sha256(content.getvalue()).hexdigest())

    return keep_array


def test_synthetic_faces_are_rendered_in_pieces_that_are_told(
    datasets, shard, inner_engine, monkeypatch
):
    monkeypatch.setattr(datasets_module, "RENDERED_AT_ONCE", 7)

    dataset = datasets.load(shard, SyntheticDataset(count=30, seed=2))

    faces, ages = synthetic_faces(30, 2)
    assert np.array_equal(dataset.faces, faces)
    assert np.array_equal(dataset.ages, ages)
    assert len(inner_engine.said(Working)) == 5


def test_rendering_is_broken_off(datasets, shard, inner_engine):
    inner_engine.interrupt_when = lambda engine: Interrupt.STOP

    with pytest.raises(InterruptedShard):
        datasets.load(shard, SyntheticDataset(count=10, seed=2))


def test_stored_faces_and_ages_are_read(datasets, shard, keep):
    faces, ages = synthetic_faces(10, 2)
    stored = StoredDataset(name="ours", faces=keep("f.npy", faces), ages=keep("a.npy", ages))

    dataset = datasets.load(shard, stored)

    assert dataset.name == "ours"
    assert np.array_equal(dataset.faces, faces)
    assert np.array_equal(dataset.ages, ages)
    without = datasets.load(shard, stored.model_copy(update={"ages": None}))
    assert without.ages is None


def test_another_file_than_is_meant_is_refused(datasets, shard, keep):
    faces, _ = synthetic_faces(10, 2)
    reference = keep("f.npy", faces)
    keep("f.npy", faces[::-1])

    with pytest.raises(ArtifactStoreError, match=reference.sha256):
        datasets.load(shard, StoredDataset(name="ours", faces=reference, ages=None))


def test_ages_of_other_faces_are_refused(datasets, shard, keep):
    faces, ages = synthetic_faces(10, 2)
    stored = StoredDataset(name="ours", faces=keep("f.npy", faces), ages=keep("a.npy", ages[1:]))

    with pytest.raises(LengthMismatchError):
        datasets.load(shard, stored)


def test_the_last_one_and_its_prior_are_kept(datasets, shard):
    first, second = (SyntheticDataset(count=40, seed=seed) for seed in (2, 3))

    kept = datasets.load(shard, first)
    assert datasets.load(shard, first.model_copy()) is kept
    prior = datasets.prior(shard, first)
    assert torch.equal(prior.components, fit_prior(kept.faces).components)
    assert datasets.prior(shard, first) is prior
    assert not np.array_equal(datasets.load(shard, second).faces, kept.faces)
    assert datasets.prior(shard, second) is not prior
