"""Sample faces at target ages as the job did, and write images.npy and collage.png.

python guided_sample.py --help     without options: the same bytes, on the same kind of machine
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion import SampleStep, has_fast_bfloat16, load_checkpoint, plan, predictor, start_noise
from diffusion.checkpoints import load_regressor
from diffusion.fixed_batches import in_fixed_batches
from diffusion.guidance import AgeGuide, GuidanceOptions
from diffusion.sampling import guided_sample
from formats.faces import from_unit_range
from formats.pictures import collage, encode_png

HERE = Path(__file__).parent
DTYPES = {"auto": None, "bfloat16": torch.bfloat16, "float32": torch.float32}
BATCH = 25  # faces at once, as in the job


def main() -> None:
    """Read the options, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=HERE / "guided_sample" / "params.json")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "guided_sample")
    parser.add_argument("--faces-per-age", type=int, help="columns of the collage")
    parser.add_argument("--num-inference-steps", type=int, help="1 … T")
    parser.add_argument("--precision", choices=DTYPES, default="auto")
    options = parser.parse_args()
    params = json.loads(options.params.read_text(encoding="utf-8"))
    params["faces_per_age"] = options.faces_per_age or params["faces_per_age"]
    params["num_inference_steps"] = options.num_inference_steps or params["num_inference_steps"]
    images = sample_faces(params, DTYPES[options.precision])
    options.out.mkdir(parents=True, exist_ok=True)
    np.save(options.out / "images.npy", images, allow_pickle=False)
    sheet = encode_png(collage(images, params["faces_per_age"]), {"params": params})
    (options.out / "collage.png").write_bytes(sheet)
    print(f"{len(images)} faces are in {options.out}")


def sample_faces(params: dict[str, Any], dtype: torch.dtype | None) -> NDArray[np.uint8]:
    """Faces age by age, uint8 (n, 48, 48)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.bfloat16 if has_fast_bfloat16(device) else torch.float32)
    checkpoint = load_checkpoint(HERE / params["checkpoint_file"])
    regressor, how = load_regressor(HERE / params["regressor_file"]), _guidance(params)
    model, betas, seed = checkpoint.model, checkpoint.betas, params["seed"]
    names = ("sampler", "num_inference_steps", "clip_x_0", "variance", "eta", "timesteps")
    chosen = {name: params[name] for name in names if params[name] is not None}
    predict, table = predictor(model, device, dtype), plan(betas=betas, **chosen)
    if device.type == "cpu" and dtype == torch.float32:  # a face must not depend on its company
        predict = partial(in_fixed_batches, predict)
    prior = checkpoint.prior if params["prior"] == "data" else None
    ages = np.repeat(params["target_ages"], params["faces_per_age"])
    noises = np.arange(len(ages)) % (params["faces_per_age"] if params["shared_noise"] else 2**32)
    pieces = []
    for first in range(0, len(ages), BATCH):
        indices, targets = (each[first : first + BATCH].tolist() for each in (noises, ages))
        guide = AgeGuide(regressor, how, targets, predictor=model, device=device, dtype=dtype)
        z = start_noise(prior, betas, seed, indices).to(device)
        *_, last = guided_sample(predict, table, guide, seed, indices, SampleStep(0, z))
        pieces.append(from_unit_range(last.z[:, 0].float().cpu().numpy()))
    return np.concatenate(pieces)


def _guidance(params: dict[str, Any]) -> GuidanceOptions:
    names = [n for n in params if n.startswith("guidance_") and params[n] is not None]
    return GuidanceOptions(params["guidance"], **{name[9:]: params[name] for name in names})


if __name__ == "__main__":
    main()
