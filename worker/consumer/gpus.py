"""The GPUs of this host, asked of NVIDIA's management library: no torch, no CUDA context."""

import itertools
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuUsage:
    """What all programs together use of a GPU; None is what it does not tell."""

    memory_bytes: int
    total_memory_bytes: int
    percent: float | None


def gpu_count(environment: Mapping[str, str] = os.environ) -> int:
    """How many GPUs CUDA would show this process; 0 without NVIDIA's driver or its bindings."""
    present: int = _ask(lambda nvml: int(nvml.nvmlDeviceGetCount())) or 0
    return visible_count(present, environment.get("CUDA_VISIBLE_DEVICES"))


def visible_count(present: int, visible: str | None) -> int:
    """How many of the GPUs CUDA shows under this CUDA_VISIBLE_DEVICES: those before a wrong one."""
    if visible is None:
        return present
    names = (name.strip() for name in visible.split(","))
    shown = list(itertools.takewhile(lambda name: name not in ("", "-1"), names))
    return min(len(shown), present)


def gpu_usage(uuid: str) -> GpuUsage | None:
    """The GPU of this UUID (with or without `GPU-`), or None if it cannot be asked."""
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"

    def measure(nvml: Any) -> GpuUsage:
        handle = nvml.nvmlDeviceGetHandleByUUID(name.encode())
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        try:
            percent = float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        except nvml.NVMLError:  # a slice of a GPU does not tell
            percent = None
        return GpuUsage(int(memory.used), int(memory.total), percent)

    return _ask(measure)


def _ask(question: Callable[[Any], Any]) -> Any:
    """The answer of the library, or None where there is none."""
    try:
        import pynvml  # noqa: PLC0415  (absent where only the web side is installed)
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return question(pynvml)
    except pynvml.NVMLError as error:
        log.debug("the GPU cannot be asked: %s", error)
        return None
    finally:
        pynvml.nvmlShutdown()
