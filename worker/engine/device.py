"""The device of this engine: which one, how many threads, which precision."""

import os
import platform
from dataclasses import dataclass
from typing import Any

import torch

from diffusion import UNet, has_fast_bfloat16, predictor
from jobs import __version__
from jobs.settings import WorkerSettings

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class Device:
    """Where networks run, and in which dtype; whether that was left to what is fast."""

    device: torch.device
    dtype: torch.dtype
    is_dtype_free: bool = False

    @staticmethod
    def choose(settings: WorkerSettings) -> "Device":
        """Follow the settings; `auto` takes a GPU where there is one.

        Raises:
            ValueError: a setting is not one of the allowed ones.
        """
        name = settings.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        device = torch.device(name)
        # Two threads beside any other busy process run several times slower than one.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        torch.set_num_threads(settings.threads or max(1, cores // settings.host_engines))
        if settings.precision == "auto":
            dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
        elif settings.precision in PRECISIONS:
            dtype = PRECISIONS[settings.precision]
        else:
            raise ValueError(
                f"precision must be auto, bfloat16 or float32, not {settings.precision!r}"
            )
        return Device(device, dtype, is_dtype_free=settings.precision == "auto")

    def warm_up(self) -> None:
        """Run a small network once, so that the first shard does not wait for the libraries."""
        predict = predictor(UNet(width=8), self.device, self.dtype)
        predict(torch.zeros(1, 1, 48, 48, device=self.device), torch.zeros(1, dtype=torch.long))

    def capabilities(self) -> dict[str, Any]:
        """What the worker tells of itself."""
        is_gpu = self.device.type == "cuda"
        about_gpu: dict[str, Any] = {}
        if is_gpu:
            properties = torch.cuda.get_device_properties(self.device)
            about_gpu = {"gpu": str(properties.uuid), "gpu_memory_bytes": properties.total_memory}
        return about_gpu | {
            "device": str(self.device),
            "name": torch.cuda.get_device_name(self.device) if is_gpu else platform.machine(),
            "precision": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "darkroom": __version__,
        }
