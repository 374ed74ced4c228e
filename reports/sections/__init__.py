"""A report's sections: one for each job, and what stands around them."""

from collections.abc import Callable, Mapping

from reports.contents import Block, Document, Heading, Paragraph, Text
from reports.material import MadeJob, Material
from reports.sections.closing import closing_sections
from reports.sections.common import Context, duration, headed, settings, took
from reports.sections.evaluating import evaluating_section
from reports.sections.guiding import guiding_section
from reports.sections.merging import merging_section
from reports.sections.process import schedule_section
from reports.sections.regression import regression_section
from reports.sections.sampling import sampling_section
from reports.sections.training import training_section

TITLE = "Face diffusion"
SUBTITLE = "Faces sampled, merged and led to an age by a diffusion model"
SECTIONS: Mapping[str, Callable[[Context, MadeJob], list[Block]]] = {
    "sample": sampling_section,
    "merge": merging_section,
    "train_regressor": regression_section,
    "guided_sample": guiding_section,
    "train_ddpm": training_section,
    "evaluate": evaluating_section,
}
SYNTHETIC = "synthetic"  # how the rendered dataset is named


def compose(material: Material) -> Document:
    """The whole report on these jobs, in their order."""
    context = Context(material)
    blocks: list[Block] = [*_origin(material), *schedule_section(material)]
    for job in material.jobs:
        context.section = _sections_in(blocks) + 1
        section = SECTIONS.get(job.kind, _unknown_section)
        blocks += section(context, job)
    blocks += closing_sections(material)
    return Document(material.title or TITLE, SUBTITLE, _facts(material), blocks)


def _sections_in(blocks: list[Block]) -> int:
    return sum(isinstance(block, Heading) and block.level == 1 for block in blocks)


def _facts(material: Material) -> list[tuple[str, Text]]:
    facts: list[tuple[str, Text]] = []
    if material.submitter:
        facts.append(("Submitted by", material.submitter))
    if material.date:
        facts.append(("Date", material.date))
    kinds = [job.kind for job in material.jobs]
    facts.append(("Jobs", f"{len(kinds)}: {', '.join(kinds)}"))
    seconds = [job.seconds for job in material.jobs if job.seconds is not None]
    if seconds:
        facts.append(("Computing time", duration(sum(seconds))))
    facts.append(("Made with", "Darkroom, a job queue for face diffusion"))
    return facts


def _origin(material: Material) -> list[Block]:
    """That no picture shows a person, where that is so; that all are made, in any case."""
    text = "All sampled, merged and guided faces are synthetic media: a network has made them."
    datasets = [
        str(each.facts.get("dataset") or "") for job in material.jobs for each in job.checkpoints
    ]
    if datasets and all(dataset.startswith(SYNTHETIC) for dataset in datasets):
        text += " The networks have learnt from rendered drawings, not from photographs of people."
    return [Paragraph(text)]


def _unknown_section(_context: Context, job: MadeJob) -> list[Block]:
    """A kind that this report knows nothing of: what every job has."""
    title = job.kind.replace("_", " ").capitalize()
    said = [Paragraph(took(job).strip())] if took(job) else []
    return [headed(job, title), *said, *settings(job, "the job")]
