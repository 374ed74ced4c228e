"""The fields that the forms of both kinds of training have."""

from pydantic import BaseModel

from dashboard.forms.fields import Field, field_of

LIMIT_ROWS = (("minutes", "images", "steps"), ("seed",))
COMMON_ROWS = (
    ("batch_size", "learning_rate"),
    ("warmup_steps", "ema_decay"),
    ("gradient_norm", "holdout_fraction"),
    ("horizontal_flips",),
)


def training_fields(model: type[BaseModel], default_images: int) -> tuple[Field, ...]:
    """When to stop, and how to step; `default_images` are seen if no limit is given."""
    images = f"Seen by the network; {default_images:,} if all are empty."
    seed = "Decides weights, order, timesteps and noise. Empty: drawn at random."
    held_out = "Share of the faces kept back to measure with."
    return (
        field_of(model, "minutes", "Minutes", "Of training."),
        field_of(model, "images", "Images", images),
        field_of(model, "steps", "Training steps", "One batch each."),
        field_of(model, "batch_size", "Batch size", "Images of one training step."),
        field_of(model, "learning_rate", "Learning rate", "The highest, after the warm-up."),
        field_of(model, "warmup_steps", "Warm-up steps", "To the highest learning rate."),
        field_of(
            model, "ema_decay", "Decay of the average", "The network that is kept is an average."
        ),
        field_of(model, "gradient_norm", "Longest gradient", "Longer ones are clipped."),
        field_of(model, "holdout_fraction", "Held out", held_out),
        field_of(
            model, "horizontal_flips", "Mirror every other face", "Twice the faces.", "checkbox"
        ),
        field_of(model, "seed", "Seed", seed, "seed"),
    )
