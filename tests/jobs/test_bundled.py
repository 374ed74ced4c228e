"""The checkpoints that come with Darkroom, and the ids that always name them."""

import shutil

import numpy as np

from formats.architectures import tensor_shapes
from formats.checkpoint import CheckpointDescription, sha256_of, write_checkpoint
from jobs.kinds.references import JUDGE, NOISE_PREDICTOR, REGRESSOR
from jobs.library import BUNDLED_CHECKPOINTS, BUNDLED_FOLDER
from jobs.requests import BUNDLED, BUNDLED_JUDGE, BUNDLED_REGRESSOR

ARCHITECTURES = {
    BUNDLED: NOISE_PREDICTOR,
    BUNDLED_REGRESSOR: REGRESSOR,
    BUNDLED_JUDGE: JUDGE,
}


def test_what_is_bundled_is_known_from_the_start_by_its_id_and_is_what_the_id_says(service):
    known = {each.id: each for each in service.list_checkpoints()}

    present = [each for each in BUNDLED_CHECKPOINTS if (BUNDLED_FOLDER / each.file).exists()]
    assert {BUNDLED, BUNDLED_JUDGE} <= {each.id for each in present}
    for each in present:
        assert known[each.id].name == each.name
        assert known[each.id].architecture == ARCHITECTURES[each.id]
        assert known[each.id].sha256 == sha256_of(BUNDLED_FOLDER / each.file)


def test_files_that_are_not_there_are_skipped(service, tmp_path):
    before = service.list_checkpoints()

    service.keep_bundled_checkpoints(tmp_path)

    assert service.list_checkpoints() == before


def test_a_new_version_takes_the_place_of_the_old_one(service, tmp_path):
    judge = next(each for each in BUNDLED_CHECKPOINTS if each.id == BUNDLED_JUDGE)
    shutil.copy(BUNDLED_FOLDER / "noise-predictor-32.safetensors", tmp_path)
    arrays = {name: np.ones(shape, np.float32) for name, shape in tensor_shapes(JUDGE, 2).items()}
    write_checkpoint(tmp_path / judge.file, arrays, CheckpointDescription(JUDGE, 2))

    service.keep_bundled_checkpoints(tmp_path)

    renewed = service.get_checkpoint(BUNDLED_JUDGE)
    assert (renewed.width, renewed.sha256) == (2, sha256_of(tmp_path / judge.file))


def test_all_bundled_files_together_stay_small():
    sizes = [file.stat().st_size for file in BUNDLED_FOLDER.glob("*.safetensors")]

    assert sum(sizes) < 16e6
