"""What ends a report: seeds and hashes, how to repeat it, and the sources."""

from reports.archive import scripts_of
from reports.contents import Block, Bullets, Code, Commands, Heading, Paragraph, Table, Text
from reports.material import MadeJob, Material
from reports.sections.common import NOT_SET

SOURCES = (
    "S. J. D. Prince: Understanding Deep Learning. MIT Press, 2023. Chapter 18, algorithms 18.1 "
    "and 18.2.",
    "J. Ho, A. Jain, P. Abbeel: Denoising Diffusion Probabilistic Models. NeurIPS 2020, "
    "arXiv:2006.11239.",
    "P. Dhariwal, A. Nichol: Diffusion Models Beat GANs on Image Synthesis. NeurIPS 2021, "
    "arXiv:2105.05233. Algorithms 1 and 2.",
    "C. Meng et al.: SDEdit: Guided Image Synthesis and Editing with Stochastic Differential "
    "Equations. ICLR 2022, arXiv:2108.01073.",
    "A. Lugmayr et al.: RePaint: Inpainting using Denoising Diffusion Probabilistic Models. "
    "CVPR 2022, arXiv:2201.09865.",
    "J. Song, C. Meng, S. Ermon: Denoising Diffusion Implicit Models. ICLR 2021, arXiv:2010.02502.",
    "C. Lu et al.: DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic "
    "Models. 2022, arXiv:2211.01095.",
)
SCRIPT_COMMANDS = """python -m venv .venv && . .venv/bin/activate
pip install -r requirements.txt
"""


def closing_sections(material: Material) -> list[Block]:
    """Seeds and hashes, commands, sources."""
    return [*_seeds(material), *_repeating(material), *_sources()]


def _seeds(material: Material) -> list[Block]:
    rows: list[tuple[Text, Text, Text]] = [
        (job.kind, Code(job.id), Code(str(job.params["seed"])) if _has_seed(job) else NOT_SET)
        for job in material.jobs
    ]
    networks = {each.sha256: each for job in material.jobs for each in job.checkpoints}
    hashes = [(Code(each.sha256), each.name) for each in networks.values()]
    blocks: list[Block] = [
        Heading("Seeds and hashes"),
        Paragraph(
            "Every random number follows from a job’s seed: the same job gives the same pictures, "
            "however it was divided, interrupted or resumed."
        ),
        Table("The jobs and their seeds.", ("Kind", "Job", "Seed"), rows),
    ]
    if hashes:
        blocks.append(Table("The networks’ files.", ("SHA-256", "Network"), hashes))
    return blocks


def _has_seed(job: MadeJob) -> bool:
    return job.params.get("seed") is not None


def _repeating(material: Material) -> list[Block]:
    scripts = [f"python {path.name} --help" for path in scripts_of(material)]
    blocks: list[Block] = [
        Heading("How to repeat it"),
        Paragraph(
            [
                "The file ",
                Code("jobs.json"),
                " submits the same jobs again, with the same seeds, to a running Darkroom that has "
                "the same networks and datasets:",
            ]
        ),
        Commands(
            "darkroom submit batch jobs.json --watch\n"
            "# or\n"
            "curl -H 'Content-Type: application/json' --data @jobs.json \\\n"
            "    http://127.0.0.1:8000/api/v1/batches"
        ),
    ]
    if scripts:
        blocks += [
            Paragraph(
                [
                    "Without Darkroom: ",
                    Code("assignment.zip"),
                    " holds the code that made the pictures, the networks, and a script for each "
                    "part, which makes the same bytes on the same kind of machine. Without "
                    "options it repeats the job; with a smaller ",
                    Code("--num-inference-steps"),
                    " it is short on a CPU.",
                ]
            ),
            Commands(SCRIPT_COMMANDS + "\n".join(scripts)),
        ]
    return blocks


def _sources() -> list[Block]:
    return [Heading("Sources"), Bullets(SOURCES, is_numbered=True)]
