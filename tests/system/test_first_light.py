import io

import numpy as np
from PIL import Image

from formats.pictures import read_png_parameters
from jobs.requests import BatchRequest


def test_a_job_goes_the_whole_road(system, checkpoint):
    system.start_dispatcher()
    system.start_worker()

    job = system.submit(checkpoint=checkpoint, count=30, num_inference_steps=10, seed=1)
    ended = system.wait_ended(job.id)

    assert ended.status == "succeeded", ended.error
    assert ended.progress.done == ended.progress.total == 300
    artifacts = system.service.list_artifacts(job.id)
    assert [(a.shard, a.role, a.shape) for a in artifacts] == [
        (None, "collage", [144, 480]),
        (None, "images", [30, 48, 48]),
        (0, "images", [25, 48, 48]),
        (1, "images", [5, 48, 48]),
    ]
    made_with = {"checkpoint": system.service.get_checkpoint(checkpoint).sha256}
    assert all(artifact.checkpoints == made_with for artifact in artifacts)
    content = system.service.read_artifact(artifacts[0].id)
    says = {"job": job.id, "kind": "sample", "params": job.params, "checkpoints": made_with}
    assert read_png_parameters(content) == says
    single = system.service.image_png(artifacts[3].id, 2)
    assert read_png_parameters(single) == says | {"image": 27}
    collage = Image.open(io.BytesIO(content))
    images = np.load(io.BytesIO(system.images(job.id)))
    assert collage.mode == "L"
    assert np.array_equal(np.asarray(collage)[48:96, 0:48], images[10])


def test_a_chain_goes_the_whole_road_and_a_cancel_ends_what_waits(system, checkpoint):
    def chain(**params):
        sample = {"checkpoint": checkpoint, "count": 100, "num_inference_steps": 1} | params
        figures = {"job": "faces", "synthetic_count": 400}
        items = [
            {"label": "faces", "job": {"kind": "sample", "params": sample}},
            {"label": "figures", "job": {"kind": "evaluate", "params": figures}},
        ]
        return system.service.submit_batch(BatchRequest.model_validate({"jobs": items}), "ada").jobs

    system.start_dispatcher()
    system.start_worker()
    (faces, figures), (endless, waiting) = chain(), chain(num_inference_steps=1000)

    assert system.wait_ended(figures.id).status == "succeeded"
    assert system.job(faces.id).finished_at <= system.job(figures.id).started_at
    system.wait_done(endless.id, 1)
    system.service.cancel(endless.id)

    assert system.job(waiting.id).status == "canceled"
    assert system.job(waiting.id).error.code == "parent_canceled"
