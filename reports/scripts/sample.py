"""Sample faces as the job did, and write images.npy and collage.png.

python sample.py                                         the same bytes, on the same kind of machine
python sample.py --count 10 --num-inference-steps 50     short on a CPU
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion import SampleStep, fit_prior, load_checkpoint, plan, predictor, sample, start_noise
from diffusion.prior import DataPrior
from formats.faces import from_unit_range, load_faces
from formats.pictures import collage, encode_png
from synthetic import synthetic_faces

HERE = Path(__file__).parent
DTYPES = {"auto": None, "bfloat16": torch.bfloat16, "float32": torch.float32}
BATCH = 25  # faces at once, as in the job
CHOICES = ("sampler", "num_inference_steps", "clip_x_0", "variance", "eta")


def main() -> None:
    """Read the options, sample, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=HERE / "sample" / "params.json")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "sample")
    parser.add_argument("--count", type=int, help="faces")
    parser.add_argument("--num-inference-steps", type=int, help="1 … T")
    parser.add_argument("--precision", choices=DTYPES, default="auto", help="of the network")
    parser.add_argument("--faces", type=Path, help=".npy whose prior is taken, if the job had one")
    options = parser.parse_args()
    params = json.loads(options.params.read_text(encoding="utf-8"))
    given = {name: getattr(options, name) for name in ("count", "num_inference_steps")}
    params |= {name: value for name, value in given.items() if value is not None}
    images = sample_faces(params, DTYPES[options.precision], options.faces)
    options.out.mkdir(parents=True, exist_ok=True)
    np.save(options.out / "images.npy", images, allow_pickle=False)
    sheet = collage(images, min(params["columns"], len(images)))
    (options.out / "collage.png").write_bytes(encode_png(sheet, {"params": params}))
    print(f"{len(images)} faces are in {options.out}")


def sample_faces(
    params: dict[str, Any], dtype: torch.dtype | None, faces: Path | None
) -> NDArray[np.uint8]:
    """Faces 0 … count − 1, uint8 (count, 48, 48)."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = load_checkpoint(HERE / params["checkpoint_file"])
    predict = predictor(checkpoint.model, device, dtype)
    chosen = {name: params[name] for name in CHOICES}
    chosen["timesteps"] = params["timesteps"] or "logsnr"
    table = plan(betas=checkpoint.betas, **chosen)
    prior = _prior(params, checkpoint.prior, faces) if params["prior"] == "data" else None
    pieces = []
    for first in range(0, params["count"], BATCH):
        indices = range(first, min(first + BATCH, params["count"]))
        z = start_noise(prior, checkpoint.betas, params["seed"], indices).to(device)
        for state in sample(predict, table, params["seed"], indices, start=SampleStep(0, z)):
            z = state.z
            print(f"faces {first} to {indices[-1]}: step {state.step} of {len(table)}", end="\r")
        pieces.append(from_unit_range(z[:, 0].float().cpu().numpy()))
    return np.concatenate(pieces)


def _prior(params: dict[str, Any], own: DataPrior | None, faces: Path | None) -> DataPrior | None:
    if faces is not None:
        return fit_prior(load_faces(faces))
    return own if params["prior_dataset"] is None else fit_prior(synthetic_faces(40_000, 1)[0])


if __name__ == "__main__":
    main()
