"""Batches of faces with their ages: what a regressor learns from, and what it is measured on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.noise import Purpose, uniforms
from diffusion.training_data import TENTHS, Batch, TrainingFaces
from diffusion.training_options import RegressorOptions
from formats.faces import Ages, check_equal_length, valid_ages

YEARS = 100  # per unit of what the network says


@dataclass(frozen=True, eq=False)
class FacesWithAges:
    """Faces and how old each is.

    Attributes:
        faces: gray, uint8 (N, 48, 48).
        ages: in years, (N,); below 0 is missing, above 100 wrong.
    """

    faces: NDArray[np.uint8]
    ages: Ages


class AgedFaces(TrainingFaces):
    """Faces with an age of 0 to 100 years; the others are left out and counted.

    Attributes:
        ages: of the faces that are left, float32 (N,), in hundreds of years.
        missing: ages below 0.
        wrong: ages above 100.
        mean_age: of the faces that are trained on, in years.
    """

    def __init__(
        self,
        data: FacesWithAges,
        options: RegressorOptions,
        num_timesteps: int,
        device: torch.device,
    ) -> None:
        """Leave out what has no age, and split the rest by the options' seed.

        Raises:
            formats.errors.LengthMismatchError: there is not one age per face.
            ValueError: what is left to train on is less than one batch.
        """
        faces, ages = data.faces, data.ages
        check_equal_length(faces, ages)
        is_valid = valid_ages(ages)
        self.missing, self.wrong = int((ages < 0).sum()), int((ages > YEARS).sum())
        super().__init__(faces[is_valid], options, num_timesteps, device)
        self._shifts, self._timestep_power = options.shifts, options.timestep_power
        self._low_noise_share = options.low_noise_share
        self.ages = torch.from_numpy((ages[is_valid] / YEARS).astype(np.float32))
        self.mean_age = float(self.ages[self._trained].double().mean()) * YEARS

    def ages_of(self, batch: Batch) -> Tensor:
        """Ages of a batch's faces in hundreds of years, float32 (B,), on the device."""
        return self.ages[batch.rows].to(self._device)

    def predict_mean_error(self) -> float:
        """Mean absolute error, in years, of always saying the mean of what is trained on."""
        held_out = self.ages[self._held_out].double() * YEARS
        return float((held_out - self.mean_age).abs().mean())

    def _timesteps(self, step: int) -> Tensor:
        """Stratified, more of them where there is little noise and so more to learn."""
        size = self._options.batch_size
        within = uniforms(self._options.seed, [0], step, size, Purpose.TRAINING_TIMESTEP)[0]
        turns = self._spread((np.arange(size) + within) / size)
        return torch.from_numpy((turns * self._num_timesteps).astype(np.int64))

    def _spread(self, turns: NDArray[np.float64]) -> NDArray[np.float64]:
        share = self._low_noise_share
        if not share:
            return turns**self._timestep_power
        others = np.maximum(turns - share, 0) / (1 - share)
        return np.where(turns < share, turns / (share * TENTHS), others**self._timestep_power)

    def _augment(self, faces: Tensor, step: int) -> Tensor:
        """Mirror half of the faces, and move each by whole pixels, the border repeated."""
        faces = super()._augment(faces, step)
        if not self._shifts:
            return faces
        count, size = len(faces), faces.shape[-1]
        chance = uniforms(self._options.seed, [0], step, 2 * count, Purpose.SHIFT)[0]
        by = np.floor(chance * (2 * self._shifts + 1)).astype(np.int64) - self._shifts
        at = torch.from_numpy(by.reshape(2, count, 1) + np.arange(size)).clamp(0, size - 1)
        rows, columns = at.to(faces.device)
        images = torch.arange(count, device=faces.device)[:, None, None]
        return faces[images, 0, rows[:, :, None], columns[:, None, :]][:, None]
