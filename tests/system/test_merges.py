"""A merge through real processes, of faces of a dataset, an upload and an earlier job."""

import io

import numpy as np

from formats.pictures import decode_png, encode_png
from jobs.requests import MergeJob, MergeParams
from synthetic import synthetic_faces


def test_faces_of_every_origin_are_merged(system, checkpoint):
    system.start_dispatcher()
    system.start_worker()
    face = synthetic_faces(1, 9, 5)[0][0]
    upload = system.service.import_upload(encode_png(face), "a face").id
    earlier = system.submit(checkpoint=checkpoint, count=4, num_inference_steps=2, seed=1).id
    assert system.wait_ended(earlier).status == "succeeded"
    params = MergeParams(
        checkpoint=checkpoint,
        faces=[[{"upload": upload}, 3], [{"job": earlier, "image": 2}, {"upload": upload}]],
        synthetic_count=100,
        timesteps=[200, 600],
        num_inference_steps=10,
        seed=2,
    )

    request = MergeJob(kind="merge", params=params)
    job = system.service.submit(request, "tester").job
    ended = system.wait_ended(job.id)

    assert ended.status == "succeeded", ended.error
    assert ended.progress.done == ended.progress.total == 2 * (2 + 6)
    whole = [a for a in system.service.list_artifacts(job.id) if a.shard is None]
    assert [(a.role, a.name, a.shape) for a in whole if a.role != "figure"] == [
        ("collage", "collage.png", [96, 288]),
        ("images", "images.npy", [4, 48, 48]),
        ("sources", "sources.npy", [2, 2, 48, 48]),
    ]
    found = {a.name: system.service.read_artifact(a.id) for a in whole}
    sources = np.load(io.BytesIO(found["sources.npy"]))
    assert np.array_equal(sources[0, 0], face)
    assert np.array_equal(sources[0, 1], synthetic_faces(1, 1, 3)[0][0])
    assert np.array_equal(sources[1, 0], np.load(io.BytesIO(system.images(earlier)))[2])
    images = np.load(io.BytesIO(found["images.npy"]))
    assert np.array_equal(decode_png(found["collage.png"])[48:, 96:144], images[2])
    figure = decode_png(found["figure.png"])
    assert figure.shape[0] > 96
    assert figure.shape[1] > 288
