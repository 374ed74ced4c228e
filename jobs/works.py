"""What a worker is told to do: everything that a shard of each kind needs."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.contract import ArtifactRole, Contract
from jobs.requests import (
    EvaluateParams,
    GuidedSampleParams,
    MergeParams,
    ReportParams,
    SampleParams,
    TrainDdpmParams,
    TrainRegressorParams,
)


class FileReference(Contract):
    """Where a worker finds a file, and what its bytes must be."""

    path: str = Field(description="Below the artifact store's URL.")
    sha256: str


class StoredDataset(Contract):
    """Faces, and ages where there are some, in the artifact store."""

    type: Literal["stored"] = "stored"
    name: str
    faces: FileReference
    ages: FileReference | None


class SyntheticDataset(Contract):
    """Faces 0 … count − 1 that this seed renders."""

    type: Literal["synthetic"] = "synthetic"
    count: int
    seed: int


DatasetReference = Annotated[StoredDataset | SyntheticDataset, Field(discriminator="type")]


class SampleWork(Contract):
    """Images first_image, …, first_image + image_count − 1 of a job."""

    kind: Literal["sample"] = "sample"
    params: SampleParams
    checkpoint: FileReference
    prior_dataset: DatasetReference | None = None
    first_image: int = Field(ge=0)
    image_count: int = Field(ge=1)


class GuidedSampleWork(Contract):
    """Images first_image, … of a job that samples at target ages, age by age."""

    kind: Literal["guided_sample"] = "guided_sample"
    params: GuidedSampleParams
    checkpoint: FileReference
    regressor: FileReference
    prior_dataset: DatasetReference | None = None
    first_image: int = Field(ge=0)
    image_count: int = Field(ge=1)


class PictureFace(Contract):
    """A face in a file: a gray PNG, or one of an array of images."""

    file: FileReference
    image: int | None = Field(None, description="Its index in the array; null: a PNG.")


class DatasetFace(Contract):
    """A face of the work's dataset."""

    index: int


SourceFace = PictureFace | DatasetFace


class MergeSources(Contract):
    """The faces that are merged, and the mask that joins them."""

    pairs: list[tuple[SourceFace, SourceFace]]
    dataset: DatasetReference | None
    mask: FileReference | None = Field(description="A gray PNG; null where it has a name.")


class MergeWork(Contract):
    """Merged images first_image, … of a job: timestep by timestep, pair by pair; of one t."""

    kind: Literal["merge"] = "merge"
    params: MergeParams
    checkpoint: FileReference
    sources: MergeSources
    first_image: int = Field(ge=0)
    image_count: int = Field(ge=1)


class AssembleWork(Contract):
    """What follows all shards of a job: the whole array of images, collage and figure."""

    kind: Literal["assemble"] = "assemble"
    job_kind: Literal["sample", "guided_sample", "merge"] = "sample"
    params: SampleParams | GuidedSampleParams | MergeParams
    pieces: list[str] = Field(description="Paths of the shards' image arrays, in order.")
    sources: MergeSources | None = None
    checkpoints: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of what the pieces were made with, by field."
    )


class TrainDdpmWork(Contract):
    """A whole training of a noise predictor."""

    kind: Literal["train_ddpm"] = "train_ddpm"
    params: TrainDdpmParams
    dataset: DatasetReference
    initial: FileReference | None


class TrainRegressorWork(Contract):
    """A whole training of an age regressor."""

    kind: Literal["train_regressor"] = "train_regressor"
    params: TrainRegressorParams
    dataset: DatasetReference
    checkpoint: FileReference
    initial: FileReference | None = None


class EvaluatedJob(Contract):
    """The job whose images are evaluated."""

    kind: Literal["sample", "guided_sample", "merge"]
    images: FileReference
    target_ages: list[float] = Field(
        default_factory=list, description="Of each image, where it was guided."
    )
    merge: MergeParams | None = None
    sources: FileReference | None = Field(
        None, description="Merged faces, uint8 (pairs, 2, 48, 48), where it merged."
    )
    mask: FileReference | None = None


class EvaluateWork(Contract):
    """Figures of a job's images, or of a checkpoint, beside a dataset."""

    kind: Literal["evaluate"] = "evaluate"
    params: EvaluateParams
    dataset: DatasetReference
    job: EvaluatedJob | None
    checkpoint: FileReference | None
    judge: FileReference | None = Field(None, description="Of ages; with guided images.")


class ReportedFile(Contract):
    """A file of a job that is reported on."""

    role: ArtifactRole
    name: str
    media_type: str
    shape: list[int]
    file: FileReference


class ReportedCheckpoint(Contract):
    """A checkpoint that a job that is reported on used or made."""

    field: str = Field(description="The parameter that names it, or `made`.")
    id: str
    name: str
    facts: dict[str, Any] = Field(description="Its description, the training's figures included.")
    file: FileReference


class ReportedJob(Contract):
    """A job that is reported on."""

    id: str
    kind: str
    name: str | None
    params: dict[str, Any]
    seconds: float | None = Field(description="From its start to its end.")
    files: list[ReportedFile]
    checkpoints: list[ReportedCheckpoint]
    curves: dict[str, list[tuple[float, float]]] = Field(default_factory=dict)


class ReportWork(Contract):
    """A report on jobs that have succeeded."""

    kind: Literal["report"] = "report"
    params: ReportParams
    jobs: list[ReportedJob]
    submitter: str | None = Field(None, description="Whose report it is.")
    submitted_on: date | None = Field(None, description="When it was asked for.")


AnyWork = (
    SampleWork
    | GuidedSampleWork
    | MergeWork
    | AssembleWork
    | TrainDdpmWork
    | TrainRegressorWork
    | EvaluateWork
    | ReportWork
)
Work = Annotated[AnyWork, Field(discriminator="kind")]
