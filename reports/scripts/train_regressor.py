"""Train the age regressor as the job did, and write its checkpoint and metrics.json.

python train_regressor.py                                the job's own training
python train_regressor.py --images 20000                 short on a CPU
python train_regressor.py --faces faces.npy.gz --ages ages.npy      where the job's were uploaded
"""

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from diffusion import save_checkpoint
from diffusion.aged_faces import FacesWithAges
from diffusion.regressor_description import describe_regressor
from diffusion.regressor_training import RegressorTraining
from diffusion.train_regressor import load_start
from diffusion.training_options import RegressorOptions, TrainingLimit
from formats.faces import load_ages, load_faces
from synthetic import synthetic_faces

HERE = Path(__file__).parent
DTYPES = {"auto": None, "bfloat16": torch.bfloat16, "float32": torch.float32}
LIMITS = ("steps", "images", "minutes")
OPTIONS = [each.name for each in fields(RegressorOptions)]


def main() -> None:
    """Read the options, train, write."""
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    parser.add_argument("--params", type=Path, default=HERE / "train_regressor" / "params.json")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "train_regressor")
    parser.add_argument("--images", type=int, help="that the network sees in all")
    parser.add_argument("--precision", choices=DTYPES, default="auto", help="of the network")
    parser.add_argument("--faces", type=Path, help="uint8 (N, 48, 48), .npy or .npy.gz")
    parser.add_argument("--ages", type=Path, help="years (N,), .npy or .npy.gz")
    options = parser.parse_args()
    params = json.loads(options.params.read_text(encoding="utf-8"))
    if options.images is not None:
        params |= dict.fromkeys(LIMITS) | {"images": options.images}
    if (options.faces is None) != (options.ages is None):
        parser.error("give both --faces and --ages, or neither")
    if options.faces is not None:
        data = FacesWithAges(load_faces(options.faces), load_ages(options.ages))
    elif params["dataset"] == "synthetic":
        data = FacesWithAges(*synthetic_faces(params["synthetic_count"], params["synthetic_seed"]))
    else:
        parser.error("the job's faces were uploaded and are not here: give --faces and --ages")
    options.out.mkdir(parents=True, exist_ok=True)
    train(params, data, DTYPES[options.precision], options.out)


def train(
    params: dict[str, Any], data: FacesWithAges, dtype: torch.dtype | None, out: Path
) -> None:
    """Train to the limit; write the best weights, and the errors by tenth of T."""
    field = "initial" if params.get("initial") else "checkpoint"
    start = load_start(HERE / params[f"{field}_file"])
    options = RegressorOptions(**{n: params[n] for n in OPTIONS if n in params})  # or its default
    limit = TrainingLimit(**{name: params[name] for name in LIMITS})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    how: dict[str, Any] = {"device": device, "dtype": dtype}
    training = RegressorTraining(data, options, limit, predictor=start, **how)
    for _ in training.run():
        print(f"{training.share:.1%}, {training.images_seen} images seen", end="\r")
    held_out = list(training.held_out_errors())
    described = describe_regressor(training, start, params["dataset"], held_out)
    path = out / "regressor.safetensors"
    save_checkpoint(path, training.best, described, dtype=torch.float16)  # as the job does
    (out / "metrics.json").write_text(json.dumps(described.metrics, indent=1), encoding="utf-8")
    print(f"the regressor is in {out}; MAE for t ≤ T/10: {described.metrics['mae_low_noise']}")


if __name__ == "__main__":
    main()
