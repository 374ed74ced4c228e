"""What a worker uses of its machine, measured anew for each heartbeat."""

import psutil

from jobs.contract import WorkerUsage
from worker.consumer.gpus import gpu_usage


class UsageMeter:
    """Measures this process and its engine; one that ends between two looks counts nothing."""

    def __init__(self) -> None:
        """The first share of the CPU is that since now."""
        self._known: dict[int, psutil.Process] = {}

    def measure(self, engine_pid: int | None, gpu: str | None) -> WorkerUsage:
        """Memory and CPU of consumer and engine, and the GPU of this UUID if it has one."""
        own = psutil.Process().pid
        pids = [own] if engine_pid is None else [own, engine_pid]
        memory_bytes, cpu_percent = 0, 0.0
        for pid in pids:
            try:
                process = self._known.get(pid) or psutil.Process(pid)
                memory_bytes += process.memory_info().rss
                cpu_percent += process.cpu_percent()
            except psutil.Error:
                self._known.pop(pid, None)
            else:
                self._known[pid] = process
        self._known = {pid: each for pid, each in self._known.items() if pid in pids}
        on_gpu = None if gpu is None else gpu_usage(gpu)
        return WorkerUsage(
            memory_bytes=memory_bytes,
            host_memory_bytes=psutil.virtual_memory().total,
            cpu_percent=round(cpu_percent, 1),
            gpu_memory_bytes=on_gpu.memory_bytes if on_gpu else None,
            gpu_total_memory_bytes=on_gpu.total_memory_bytes if on_gpu else None,
            gpu_percent=on_gpu.percent if on_gpu else None,
        )
