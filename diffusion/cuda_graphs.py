"""A network on a GPU as CUDA graphs: one launch for a forward pass, not one for each kernel."""

from bisect import bisect_left
from typing import Any

import torch
from torch import Tensor

from diffusion.sampling import FACE_SHAPE
from diffusion.unet import UNet

BATCHES = (1, 4, 10, 25, 50, 100, 200, 512)  # a graph each, captured when it is first needed
WARM_UPS = 3


class GraphedNetwork:
    """Runs faces through graphs of fixed batches, and all else as it comes.

    A batch is filled up with rows that are thrown away; one above the largest is cut. A graph
    holds addresses: weights must not move or change, and z_t and t are copied to where it reads.
    """

    def __init__(self, network: UNet) -> None:
        """Run this network, frozen and on a CUDA device."""
        self._network = network
        self._graphs: dict[int, _Graph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, z_t: Tensor, t: Tensor) -> Tensor:
        """Predict the noise in z_t: arguments and result are the network's."""
        if z_t.shape[1:] != FACE_SHAPE:
            eps: Tensor = self._network(z_t, t)
            return eps
        pieces = zip(torch.split(z_t, BATCHES[-1]), torch.split(t, BATCHES[-1]), strict=True)
        return torch.cat([self._run(*piece) for piece in pieces])

    def _run(self, z_t: Tensor, t: Tensor) -> Tensor:
        batch = smallest_batch(len(z_t))
        if batch not in self._graphs:
            self._graphs[batch] = _Graph(self._network, batch, self._pool)
        return self._graphs[batch].replay(z_t, t)


def smallest_batch(images: int) -> int:
    """Of BATCHES the smallest that holds 0 … BATCHES[-1] images."""
    return BATCHES[bisect_left(BATCHES, images)]


class _Graph:
    """A captured forward pass of one batch, and the memory that it reads and writes."""

    def __init__(self, network: UNet, batch: int, pool: Any) -> None:
        device = network.time_embeddings.device
        self._z_t = torch.zeros(batch, *FACE_SHAPE, device=device)
        self._t = torch.zeros(batch, dtype=torch.long, device=device)
        self._graph = torch.cuda.CUDAGraph()
        # Libraries set themselves up in the first calls, which no graph may hold.
        side: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own lack
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                network(self._z_t, self._t)
        torch.cuda.current_stream(device).wait_stream(side)
        # One pool for all graphs: each result is copied before another graph runs.
        with torch.cuda.device(device), torch.cuda.graph(self._graph, pool=pool):
            self._eps: Tensor = network(self._z_t, self._t)

    def replay(self, z_t: Tensor, t: Tensor) -> Tensor:
        images = len(z_t)
        self._z_t[:images].copy_(z_t)
        self._t[:images].copy_(t)
        self._graph.replay()
        return self._eps[:images].clone()
