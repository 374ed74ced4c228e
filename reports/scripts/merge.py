"""Merge pairs of faces as the job did, and write images.npy and collage.png.

python merge.py                               the same bytes, on the same kind of machine
python merge.py --num-inference-steps 50      short on a CPU
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion import SampleStep, load_checkpoint, plan, predictor, sample
from diffusion.merge import MASKS, Pairs, mask_of_gray, merged_start, steps_from
from diffusion.repaint import Jumps, repaint
from formats.faces import from_unit_range, to_unit_range
from formats.pictures import collage, decode_png, encode_png

HERE = Path(__file__).parent
BATCH = 25  # pairs at once, as in the job
DTYPES = {"auto": None, "bfloat16": torch.bfloat16, "float32": torch.float32}


def main() -> None:
    """Read the options, merge, write."""
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    parser.add_argument("--params", type=Path, default=HERE / "merge" / "params.json")
    parser.add_argument("--sources", type=Path, help="uint8 (pairs, 2, 48, 48), .npy")
    parser.add_argument("--mask", type=Path, help="gray PNG, where the job's mask was uploaded")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "merge")
    parser.add_argument("--num-inference-steps", type=int, help="of the whole way from T")
    parser.add_argument("--precision", choices=DTYPES, default="auto", help="of the network")
    options = parser.parse_args()
    params = json.loads(options.params.read_text(encoding="utf-8"))
    params["num_inference_steps"] = options.num_inference_steps or params["num_inference_steps"]
    mask = options.mask and mask_of_gray(decode_png(options.mask.read_bytes()))
    mask = MASKS[params["mask"]]() if mask is None else mask
    sources = np.load(options.sources or options.params.parent / "sources.npy")
    merged = merge_faces(params, sources, mask, DTYPES[options.precision])
    options.out.mkdir(parents=True, exist_ok=True)
    np.save(options.out / "images.npy", np.concatenate(merged), allow_pickle=False)
    cells = [[*pair, face] for row in merged for pair, face in zip(sources, row, strict=True)]
    sheet = collage(np.concatenate(cells), 3 * len(sources))
    (options.out / "collage.png").write_bytes(encode_png(sheet, {"params": params}))
    print(f"the merged faces are in {options.out}")


def merge_faces(
    params: dict[str, Any], sources: NDArray[np.uint8], mask: Tensor, dtype: torch.dtype | None
) -> NDArray[np.uint8]:
    """The merged pairs, uint8 (timesteps, pairs, 48, 48)."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = load_checkpoint(HERE / params["checkpoint_file"])
    predict, betas = predictor(checkpoint.model, device, dtype), checkpoint.betas
    x, seed = torch.from_numpy(to_unit_range(sources)).to(device), params["seed"]
    chosen = {name: params[name] for name in ("sampler", "clip_x_0", "variance", "eta")}
    jumps = Jumps(params["jump_length"], params["resamplings"])
    merged = np.zeros((len(params["timesteps"]), len(x), 48, 48), np.uint8)
    for row, t in enumerate(params["timesteps"]):
        steps = steps_from(t, params["num_inference_steps"], len(betas))
        table = plan(betas=betas, num_inference_steps=steps, start_t=t - 1, **chosen)
        for first in range(0, len(x), BATCH):
            indices = range(first, min(first + BATCH, len(x)))
            pairs = Pairs(x[indices, :1], x[indices, 1:], mask.to(device), indices)
            start = SampleStep(0, merged_start(pairs, t, betas, seed))
            if params["method"] == "repaint":
                *_, last = repaint(predict, table, seed, pairs, jumps, start)
            else:
                *_, last = sample(predict, table, seed, indices, start=start)
            merged[row, indices] = from_unit_range(last.z[:, 0].float().cpu().numpy())
    return merged


if __name__ == "__main__":
    main()
