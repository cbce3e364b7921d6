"""The processes that train one trial together, seen from one of them: what it does itself, and what they agree on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

# Between two words of the others: a model of many GB is read meanwhile.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of `count` processes.

    Attributes:
        rank: of this one, from 0, which speaks for all.
        count: of all.
        device: that this one computes on.
        mesh: of all.
    """

    rank: int
    count: int
    device: torch.device
    mesh: DeviceMesh

    def agree(self, said: bool) -> bool:
        """What the first process says; each must ask."""
        word = torch.tensor(int(said))
        dist.broadcast(word, src=0)
        return bool(word)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes, on the CPU, elementwise; each must ask with as many."""
        total = values.detach().to("cpu", torch.float64)
        dist.all_reduce(total)
        return total / self.count

    def merged(self, rows: Mapping[int, Any]) -> dict[int, Any]:
        """The rows of all processes; they travel as JSON, so that a tuple within one becomes a list."""
        texts = self._exchanged(json.dumps(list(rows.items())).encode())
        return {int(row): value for text in texts for row, value in json.loads(text)}

    def _exchanged(self, own: bytes) -> list[bytes]:
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(sizes, torch.tensor([len(own)]))
        most = max(int(size) for size in sizes)
        padded = torch.frombuffer(bytearray(own.ljust(most)), dtype=torch.uint8)
        found = [torch.empty(most, dtype=torch.uint8) for _ in range(self.count)]
        dist.all_gather(found, padded)
        return [text.numpy().tobytes()[: int(size)] for text, size in zip(found, sizes, strict=True)]

    def own_batches(self, batches: Sequence[Any]) -> list[Any]:
        """Every `count`-th, this process' own; the last is repeated so that all have equally many."""
        short = -len(batches) % self.count
        return [*batches, *[batches[-1]] * short][self.rank :: self.count]


def joined(rank: int, count: int, meeting: Path) -> Ranks:
    """Meet the other processes and stay with them.

    On CUDA devices, process r takes the r-th of those that it sees; without any, all share the CPU.

    Args:
        rank: of this process.
        count: of all.
        meeting: a file that all name, and that is not there yet.
    """
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    store: Any = dist.FileStore(str(meeting), count)  # type: ignore[attr-defined]  # torch re-exports it without saying so
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
    return Ranks(rank, count, device, init_device_mesh(device.type, (count,)))
