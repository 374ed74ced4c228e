"""The fields by which forms say how faces are sampled."""

from pydantic import BaseModel

from dashboard.forms.fields import Field, field_of
from jobs.requests import TIMESTEPS

HOW = (("sampler",), ("num_inference_steps", "timesteps"), ("variance",), ("eta",), ("clip_x_0",))
START = (("prior",), ("prior_dataset",))


def checkpoint_field(model: type[BaseModel]) -> Field:
    """Which noise predictor."""
    return field_of(
        model,
        "checkpoint",
        "Checkpoint",
        "The network that predicts the noise.",
        "select",
        source="noise_predictors",
    )


def seed_field(model: type[BaseModel], same: str) -> Field:
    """What makes the job repeatable; `same` is what comes again with the same seed."""
    hint = f"The same seed gives the same {same}: 0 to 2⁶⁴ − 1. Empty: drawn at random."
    return field_of(model, "seed", "Seed", hint, "seed")


def sampler_fields(model: type[BaseModel]) -> tuple[Field, ...]:
    """How a noise predictor is walked from noise to faces."""
    return (
        field_of(
            model,
            "sampler",
            "Sampler",
            "The algorithm that walks from noise to a face.",
            "radio",
            choices=(
                ("ddpm", "DDPM: the book's, with fresh noise at every step"),
                ("ddim", "DDIM: fewer steps do, with as little noise as you like"),
                ("dpmpp_2m", "DPM-Solver++ (2M): 20 steps do, without noise"),
            ),
        ),
        field_of(
            model,
            "num_inference_steps",
            "Denoising steps",
            f"1 to {TIMESTEPS:,}; {TIMESTEPS:,} visits every timestep.",
        ),
        field_of(
            model,
            "variance",
            "Variance of the noise",
            "What DDPM adds at every step.",
            "radio",
            only_for="ddpm",
            choices=(
                ("beta", "β: the schedule's own (the book's)"),
                ("posterior", "The posterior's, a little smaller"),
            ),
        ),
        field_of(
            model,
            "eta",
            "Eta",
            "Noise of DDIM: 0 for none, 1 for as much as DDPM.",
            only_for="ddim",
        ),
        field_of(
            model,
            "clip_x_0",
            "Clip the predicted face",
            "To the range of a picture, at every step.",
            "checkbox",
        ),
    )


def start_fields(model: type[BaseModel]) -> tuple[Field, ...]:
    """Where sampling starts at t = T, and which timesteps it visits."""
    return (
        field_of(
            model,
            "timesteps",
            "Where the steps lie",
            "Empty: what suits sampler and steps.",
            "select",
            empty="As suits best",
            choices=(("trailing", "Evenly in t (trailing)"), ("logsnr", "Evenly in log SNR")),
        ),
        field_of(
            model,
            "prior",
            "Start from",
            "Where the walk begins.",
            "radio",
            choices=(
                ("standard", "Pure noise: z_T ~ N(0, I), as in the book"),
                ("data", "The data at t = T: its mean and main directions are not quite gone"),
            ),
        ),
        field_of(
            model,
            "prior_dataset",
            "Data to start from",
            "Needed where the checkpoint does not hold its data's mean and directions.",
            "select",
            source="datasets",
            empty="What the checkpoint was trained on",
            only_for="data",
        ),
    )
