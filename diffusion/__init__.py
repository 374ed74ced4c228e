"""The mathematics of face diffusion: schedules, samplers, noise, the network and its training."""

from diffusion.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from diffusion.errors import (
    DiffusionError,
    NonFiniteSampleError,
    TrainingDivergedError,
    TrainingStateError,
)
from diffusion.features import FeatureNetwork, features, load_feature_network
from diffusion.metrics import (
    Estimate,
    bootstrap_error,
    brightness_ks,
    contrast_ks,
    evaluate_faces,
    frechet_distance,
    kid,
    nearest_neighbour_sheet,
    nearest_neighbours,
    precision_recall,
    radial_power_spectrum,
    spectrum_ratio,
    split_floor,
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
    "Estimate",
    "FeatureNetwork",
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
    "bootstrap_error",
    "brightness_ks",
    "contrast_ks",
    "describe_training",
    "evaluate_faces",
    "features",
    "fit_prior",
    "frechet_distance",
    "has_fast_bfloat16",
    "kid",
    "linear_betas",
    "load_checkpoint",
    "load_feature_network",
    "nearest_neighbour_sheet",
    "nearest_neighbours",
    "noise",
    "plan",
    "precision_recall",
    "predictor",
    "radial_power_spectrum",
    "sample",
    "sample_sheet",
    "save_checkpoint",
    "spectrum_ratio",
    "split_floor",
    "start_noise",
]
