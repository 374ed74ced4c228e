"""The checkpoints that come with Darkroom, and the ids that always name them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from formats.architectures import tensor_shapes
from formats.checkpoint import CheckpointDescription, sha256_of, write_checkpoint
from jobs import library
from jobs.artifacts import ArtifactStore, checkpoint_path
from jobs.errors import ArtifactStoreError
from jobs.kinds.references import JUDGE, NOISE_PREDICTOR, REGRESSOR
from jobs.library import BUNDLED_CHECKPOINTS, BUNDLED_FOLDER
from jobs.requests import BUNDLED, BUNDLED_64, BUNDLED_JUDGE, BUNDLED_REGRESSOR
from jobs.service import open_service
from tests.system.patience import eventually

ARCHITECTURES = {
    BUNDLED: NOISE_PREDICTOR,
    BUNDLED_64: NOISE_PREDICTOR,
    BUNDLED_REGRESSOR: REGRESSOR,
    BUNDLED_JUDGE: JUDGE,
}
WIDTH_64 = BUNDLED_FOLDER / "noise-predictor-64.safetensors"


def test_what_is_bundled_is_known_from_the_start_by_its_id_and_is_what_the_id_says(service):
    known = {each.id: each for each in service.list_checkpoints()}

    present = [each for each in BUNDLED_CHECKPOINTS if (BUNDLED_FOLDER / each.file).exists()]
    assert {BUNDLED, BUNDLED_64, BUNDLED_JUDGE} <= {each.id for each in present}
    for each in present:
        assert known[each.id].name == each.name
        assert known[each.id].architecture == ARCHITECTURES[each.id]
        assert known[each.id].sha256 == sha256_of(BUNDLED_FOLDER / each.file)


def test_the_noise_predictors_differ_in_width_and_hold_a_prior(service):
    narrow, wide = service.get_checkpoint(BUNDLED), service.get_checkpoint(BUNDLED_64)

    assert (narrow.width, wide.width) == (32, 64)
    assert narrow.description["prior_components"] == wide.description["prior_components"] == 16


def test_a_file_that_is_kept_already_is_not_read_again(service, monkeypatch):
    def read(*_):
        raise AssertionError("a checkpoint was read")

    monkeypatch.setattr(library, "_facts_of", read)

    service.keep_bundled_checkpoints()


def test_a_file_that_the_store_has_lost_is_kept_again(service, web_settings):
    kept = ArtifactStore(web_settings.artifacts_url)
    path = checkpoint_path(service.get_checkpoint(BUNDLED_JUDGE).sha256)
    kept.delete(path)

    service.keep_bundled_checkpoints()

    assert kept.exists(path)


def test_a_store_that_is_not_mounted_is_given_no_checkpoint(service, web_settings, tmp_path):
    kept = Path(web_settings.artifacts_url)
    kept.rename(tmp_path / "away")
    kept.mkdir()

    for ask in (
        service.keep_bundled_checkpoints,
        lambda: service.import_checkpoint(WIDTH_64, "Ours"),
    ):
        with pytest.raises(ArtifactStoreError, match=r"is it mounted\? One that is truly new"):
            ask()

    assert not any(kept.iterdir())
    assert "Ours" not in {each.name for each in service.list_checkpoints()}


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
    sizes = {file: file.stat().st_size for file in BUNDLED_FOLDER.glob("*.safetensors")}

    assert sizes.pop(WIDTH_64) <= 17e6
    assert sum(sizes.values()) < 16e6


def test_a_service_opens_while_its_store_is_away_and_keeps_them_once_it_is_back(
    service, web_settings, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("jobs.service.RETRY_SECONDS", 0.05)
    caplog.set_level("INFO", "jobs.service")
    kept, away = Path(web_settings.artifacts_url), tmp_path / "away"
    path = checkpoint_path(service.get_checkpoint(BUNDLED_JUDGE).sha256)
    (kept / path).unlink()
    kept.rename(away)
    kept.mkdir()

    opened = open_service(web_settings)

    assert "is it mounted?" in caplog.text
    assert opened.list_jobs().items == []
    kept.rmdir()
    away.rename(kept)
    eventually(lambda: "the bundled checkpoints are kept" in caplog.text)
    assert (kept / path).exists()
