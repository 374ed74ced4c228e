"""The mathematics of face diffusion: schedules, samplers, noise, the network and its training."""

from diffusion.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from diffusion.errors import (
    DiffusionError,
    NonFiniteSampleError,
    TrainingDivergedError,
    TrainingStateError,
)
from diffusion.noise import Purpose, noise
from diffusion.plan import Plan, Sampler, SamplerOptions, plan
from diffusion.precision import has_fast_bfloat16, predictor
from diffusion.prior import DataPrior, fit_prior, start_noise
from diffusion.process import GaussianProcess
from diffusion.sampling import FACE_SHAPE, NoisePredictor, SampleStep, sample
from diffusion.schedule import linear_betas
from diffusion.sheet import sample_sheet
from diffusion.timesteps import Timesteps
from diffusion.training import Training
from diffusion.training_description import describe_training
from diffusion.training_options import TrainingLimit, TrainingOptions
from diffusion.unet import UNet

__all__ = [
    "FACE_SHAPE",
    "Checkpoint",
    "DataPrior",
    "DiffusionError",
    "GaussianProcess",
    "NoisePredictor",
    "NonFiniteSampleError",
    "Plan",
    "Purpose",
    "SampleStep",
    "Sampler",
    "SamplerOptions",
    "Timesteps",
    "Training",
    "TrainingDivergedError",
    "TrainingLimit",
    "TrainingOptions",
    "TrainingStateError",
    "UNet",
    "describe_training",
    "fit_prior",
    "has_fast_bfloat16",
    "linear_betas",
    "load_checkpoint",
    "noise",
    "plan",
    "predictor",
    "sample",
    "sample_sheet",
    "save_checkpoint",
    "start_noise",
]
