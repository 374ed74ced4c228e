"""The runner of merges: what the core makes of the same faces, however it was broken off."""

import hashlib
import io

import numpy as np
import pytest
import torch

from diffusion import SampleStep, plan, predictor, sample
from diffusion.merge import MASKS, Pairs, mask_of_gray, merged_start
from diffusion.repaint import Jumps, repaint, visit_plan
from formats.errors import OutOfRangeError
from formats.faces import from_unit_range, to_unit_range
from formats.pictures import decode_png, encode_png
from jobs.messages import ShardOrder
from jobs.requests import MergeParams
from jobs.works import (
    AssembleWork,
    DatasetFace,
    FileReference,
    MergeSources,
    MergeWork,
    PictureFace,
    SyntheticDataset,
)
from synthetic import synthetic_faces
from worker.engine.merge_pictures import merge_cells
from worker.engine.shard import InterruptedShard
from worker.engine.stored_files import read_checkpoint
from worker.protocol import Interrupt, PreviewMade, Working

SEED = 3
DATASET = SyntheticDataset(count=40_000, seed=2)
INDICES = [(7, 39_000), (1, 2), (5, 7)]
STEPS = {"num_inference_steps": 10, "timesteps": [300, 700]}


def params_of(**params) -> MergeParams:
    return MergeParams(**{"seed": SEED, "faces": [list(pair) for pair in INDICES]} | STEPS | params)


def sources_of(mask: FileReference | None = None, pairs=None) -> MergeSources:
    chosen = INDICES if pairs is None else pairs
    faces = [(DatasetFace(index=first), DatasetFace(index=second)) for first, second in chosen]
    return MergeSources(pairs=faces, dataset=DATASET, mask=mask)


def merge_order(
    reference: FileReference,
    attempt: int = 1,
    sources: MergeSources | None = None,
    first_image: int = 3,
    **params,
) -> ShardOrder:
    """By default the second row, which is t = 700."""
    sources = sources or sources_of()
    work = MergeWork(
        params=params_of(**params),
        checkpoint=reference,
        sources=sources,
        first_image=first_image,
        image_count=len(sources.pairs),
    )
    return ShardOrder(job_id="job", shard_id="job-1", attempt=attempt, work=work)


def faces_of(pairs=None) -> np.ndarray:
    """The pairs' faces, uint8 (n, 2, 48, 48)."""
    chosen = INDICES if pairs is None else pairs
    found = [synthetic_faces(1, DATASET.seed, index)[0] for pair in chosen for index in pair]
    return np.concatenate(found).reshape(-1, 2, 48, 48)


def by_the_core(checkpoint, mask, jumps: Jumps | None = None, sampler="ddpm") -> np.ndarray:
    x = torch.from_numpy(to_unit_range(faces_of()))
    pairs = Pairs(x[:, :1], x[:, 1:], mask, range(3))
    table = plan(sampler, checkpoint.betas, 7, start_t=699)
    start = SampleStep(0, merged_start(pairs, 700, checkpoint.betas, SEED))
    predict = predictor(checkpoint.model, dtype=torch.float32)
    walk = sample(predict, table, SEED, range(3), start=start)
    if jumps is not None:
        walk = repaint(predict, table, SEED, pairs, jumps, start)
    *_, last = walk
    return from_unit_range(last.z[:, 0].numpy())


def images_of(files) -> np.ndarray:
    return np.load(io.BytesIO(files["images.npy"].content))


@pytest.fixture
def keep(artifacts):
    """Keeps a file in the store."""

    def keep_file(path: str, content: bytes) -> FileReference:
        artifacts.write_bytes(path, content)
        return FileReference(path=path, sha256=hashlib.sha256(content).hexdigest())

    return keep_file


@pytest.mark.parametrize("mask", ["left_right", "top_bottom"])
def test_a_row_is_merged_from_its_t_by_its_share_of_the_steps(
    inner_engine, artifacts, keep_network, mask
):
    reference = keep_network()

    files = inner_engine.run(merge_order(reference, mask=mask))

    expected = by_the_core(read_checkpoint(artifacts, reference), MASKS[mask]())
    assert np.array_equal(images_of(files), expected)
    assert inner_engine.said(Working)[-1].done == 3 * 7
    assert inner_engine.said(PreviewMade)


def test_the_sampler_is_the_one_asked_for(inner_engine, artifacts, keep_network):
    reference = keep_network()

    files = inner_engine.run(merge_order(reference, sampler="dpmpp_2m"))

    checkpoint = read_checkpoint(artifacts, reference)
    expected = by_the_core(checkpoint, MASKS["left_right"](), sampler="dpmpp_2m")
    assert np.array_equal(images_of(files), expected)


def test_an_uploaded_mask_joins_by_its_grays(inner_engine, artifacts, keep_network, keep):
    reference = keep_network()
    gray = np.broadcast_to(np.linspace(0, 255, 48).astype(np.uint8), (48, 48)).copy()
    mask = keep("uploads/mask.png", encode_png(gray))
    params = {"mask": "upload", "mask_upload": "named"}

    files = inner_engine.run(merge_order(reference, sources=sources_of(mask), **params))

    expected = by_the_core(read_checkpoint(artifacts, reference), mask_of_gray(gray))
    assert np.array_equal(images_of(files), expected)


def test_repainting_keeps_the_known_half_and_counts_its_visits(
    inner_engine, artifacts, keep_network
):
    reference = keep_network()
    options = {"method": "repaint", "jump_length": 3, "resamplings": 2}
    order = merge_order(reference, **options)

    images = images_of(inner_engine.run(order))

    checkpoint, mask = read_checkpoint(artifacts, reference), MASKS["left_right"]()
    assert np.array_equal(images, by_the_core(checkpoint, mask, Jumps(3, 2)))
    assert np.array_equal(images[..., :24], faces_of()[:, 0, :, :24])
    assert inner_engine.said(Working)[-1].done == 3 * params_of(**options).network_calls(700)


@pytest.mark.parametrize("method", ["kernel", "repaint"])
@pytest.mark.parametrize("told", [1, 5])
def test_a_merge_goes_on_to_the_same_images(inner_engine, keep_network, method, told):
    reference = keep_network()
    options = {"method": method, "jump_length": 4, "resamplings": 2}
    whole = images_of(inner_engine.run(merge_order(reference, **options), "undisturbed"))
    inner_engine.artifacts.delete("jobs/job")
    inner_engine.events.clear()
    inner_engine.interrupt_when = lambda engine: (
        Interrupt.RETURN if len(engine.said(Working)) >= told else None
    )
    with pytest.raises(InterruptedShard):
        inner_engine.run(merge_order(reference, **options))
    inner_engine.interrupt_when = lambda engine: None
    inner_engine.events.clear()

    resumed = images_of(inner_engine.run(merge_order(reference, attempt=2, **options)))

    assert inner_engine.said(Working)[0].done > 3
    assert np.array_equal(resumed, whole)


@pytest.mark.parametrize("method", ["kernel", "repaint"])
def test_progress_is_counted_as_the_job_expects_it(method):
    for steps in (1, 7, 250, 1000):
        params = params_of(method=method, num_inference_steps=steps, jump_length=4)
        for t in (1, 50, 300, 999):
            row_steps = max(1, round(steps * t / 1000 + 1e-9))
            jumps = Jumps(4, 3 if method == "repaint" else 1)
            assert params.network_calls(t) == len(visit_plan(row_steps, jumps))


def test_faces_come_out_of_pictures_and_of_other_jobs_images(inner_engine, keep_network, keep):
    faces = faces_of()
    array = io.BytesIO()
    np.save(array, faces[:, 1])
    picture = keep("uploads/face.png", encode_png(faces[1, 0]))
    made = keep("jobs/earlier/images.npy", array.getvalue())
    mixed = [
        (DatasetFace(index=7), PictureFace(file=made, image=0)),
        (PictureFace(file=picture), DatasetFace(index=2)),
        (DatasetFace(index=5), PictureFace(file=made, image=2)),
    ]
    reference = keep_network()

    files = inner_engine.run(
        merge_order(reference, sources=MergeSources(pairs=mixed, dataset=DATASET, mask=None))
    )

    assert np.array_equal(images_of(files), images_of(inner_engine.run(merge_order(reference))))


def test_an_image_that_is_not_in_the_array_is_said(inner_engine, keep_network, keep):
    array = io.BytesIO()
    np.save(array, faces_of()[:, 0])
    made = PictureFace(file=keep("jobs/earlier/images.npy", array.getvalue()), image=3)
    sources = MergeSources(pairs=[(made, made)], dataset=None, mask=None)

    with pytest.raises(OutOfRangeError, match="holds 3 images, none of the index 3"):
        inner_engine.run(merge_order(keep_network(), sources=sources))


def test_pairs_are_the_same_images_in_any_shard(inner_engine, keep_network):
    reference = keep_network()
    whole = images_of(inner_engine.run(merge_order(reference)))
    inner_engine.artifacts.delete("jobs/job")

    alone = merge_order(reference, sources=sources_of(pairs=INDICES[2:]), first_image=5)

    # float32 convolutions differ in the last digits by the batch: at most a gray level
    found = images_of(inner_engine.run(alone))[0].astype(int)
    assert np.abs(found - whole[2]).max() <= 1


def test_assembling_gives_sources_collage_and_figure(inner_engine, keep):
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)
    pieces = []
    for number, part in enumerate((images[:3], images[3:])):
        content = io.BytesIO()
        np.save(content, part)
        pieces.append(keep(f"jobs/job/{number}.npy", content.getvalue()).path)
    work = AssembleWork(job_kind="merge", params=params_of(), pieces=pieces, sources=sources_of())
    order = ShardOrder(job_id="job", shard_id="job-2", attempt=1, work=work)

    files = inner_engine.run(order)

    assert list(files) == ["images.npy", "sources.npy", "collage.png", "figure.png"]
    assert np.array_equal(images_of(files), images)
    sources = np.load(io.BytesIO(files["sources.npy"].content))
    assert (files["sources.npy"].role, sources.shape) == ("sources", (3, 2, 48, 48))
    assert np.array_equal(sources, faces_of())
    picture = decode_png(files["collage.png"].content)
    assert picture.shape == (2 * 48, 3 * 3 * 48)
    assert np.array_equal(picture[48:, 48:96], sources[0, 1])
    assert np.array_equal(picture[48:, 5 * 48 : 6 * 48], images[4])
    assert files["figure.png"].role == "figure"
    assert decode_png(files["figure.png"].content).shape > picture.shape


def test_the_default_collage_is_four_by_fifteen_cells():
    params = MergeParams()
    images = np.zeros((params.count, 48, 48), np.uint8)
    sources = np.zeros((params.pair_count, 2, 48, 48), np.uint8)

    assert len(merge_cells(images, sources)) == 4 * 15
