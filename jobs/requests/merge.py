"""The request of the kind `merge`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobs.contract import Contract
from jobs.requests.base import (
    MAX_COUNT,
    TIMESTEPS,
    DatasetParams,
    Id,
    JobRequestBase,
    SamplingParams,
    contradiction,
)

MAX_PAIRS = 100
MAX_ROWS = 20


class UploadedFace(Contract):
    """A face that was uploaded."""

    upload: Id = Field(description="Id of the upload.")


class MadeFace(Contract):
    """A face that another job made; the merge waits for that job."""

    job: Id = Field(description="Id of a job that makes images.")
    image: int = Field(ge=0, lt=MAX_COUNT, description="Which one of its images.")


DatasetIndex = Annotated[int, Field(ge=0, description="Index of a face of the dataset.")]
Face = DatasetIndex | UploadedFace | MadeFace
Timestep = Annotated[int, Field(ge=1, lt=TIMESTEPS)]


class MergeParams(SamplingParams, DatasetParams):
    """Parameters of the kind `merge`: two faces, noised to t, joined and denoised."""

    pairs: int = Field(
        5, ge=1, le=MAX_PAIRS, description="Pairs that the seed draws, where no `faces` are given."
    )
    faces: list[Annotated[list[Face], Field(min_length=2, max_length=2)]] | None = Field(
        None,
        min_length=1,
        max_length=MAX_PAIRS,
        description="Pairs of faces, each an index of the dataset, an upload or a job's image.",
    )
    timesteps: list[Timestep] = Field(
        default_factory=lambda: [100, 300, 600, 900],
        min_length=1,
        max_length=MAX_ROWS,
        description="The book's t, 1 … T − 1, to which the faces are noised; a row each.",
    )
    mask: Literal["left_right", "top_bottom", "upload"] = Field(
        "left_right",
        description="What is taken of the first face: its left half, its top half, or as much of "
        "each pixel as the uploaded mask is white.",
    )
    mask_upload: Id | None = Field(None, description="Id of the uploaded mask.")
    method: Literal["kernel", "repaint"] = Field(
        "kernel",
        description="`kernel` joins both noised faces and denoises (the assignment's); `repaint` "
        "keeps the first face where the mask is and redraws the rest, with resampling jumps.",
    )
    jump_length: int = Field(10, ge=1, le=100, description="Steps of a jump of `repaint`.")
    resamplings: int = Field(3, ge=1, le=20, description="Passes over each jump of `repaint`.")

    @model_validator(mode="after")
    def _check_mask(self) -> Self:
        if (self.mask == "upload") != (self.mask_upload is not None):
            raise contradiction(
                ["mask", "mask_upload"], "both mask `upload` and mask_upload, or neither"
            )
        if self.method == "repaint" and self.sampler == "dpmpp_2m":
            raise contradiction(
                ["method", "sampler"], "sampler ddpm or ddim with method repaint: it jumps back"
            )
        return self

    @property
    def pair_count(self) -> int:
        """Pairs in a row."""
        return self.pairs if self.faces is None else len(self.faces)

    @property
    def count(self) -> int:
        """Merged images in all: image i is pair i % pairs of row i // pairs."""
        return len(self.timesteps) * self.pair_count

    def network_calls(self, t: int) -> int:
        """Steps that an image takes from the book's t; with `repaint` all passes are counted.

        From T there are num_inference_steps; from t it is their share t/T, at least 1. Of a
        network with another T than the course's this is an estimate.
        """
        steps = max(1, (2 * self.num_inference_steps * t + TIMESTEPS) // (2 * TIMESTEPS))
        if self.method == "kernel" or steps <= self.jump_length:
            return steps
        jumps = -(-(steps - self.jump_length) // self.jump_length)
        return steps + (self.resamplings - 1) * jumps * self.jump_length


class MergeJob(JobRequestBase):
    """A request for a job of kind `merge`."""

    kind: Literal["merge"]
    params: MergeParams = Field(default_factory=MergeParams)
