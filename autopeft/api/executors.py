"""Who runs the slices: this process, or worker processes, as was asked."""

import os
from pathlib import Path

import torch

from autopeft.api.same_files import BASE_CHECKSUMS
from autopeft.data.own_metrics import require_importable
from autopeft.domain.metrics import OWN_MARK
from autopeft.domain.plan import SearchRequest
from autopeft.domain.progress import Observer
from autopeft.errors import MissingDependencyError
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.loading import WorkerSetup
from autopeft.execution.pool import WorkerPool
from autopeft.execution.protocol import Executor
from autopeft.modeling.quantized_base import is_quantized
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES
from autopeft.search.run_directory import RunDirectory, read_json
from autopeft.training.device_memory import release_memory
from autopeft.training.worker import Worker

HEAD_START = "head_start.safetensors"
# The cluster that this machine belongs to.
RAY_ADDRESS = "auto"


def make_executor(
    run: RunDirectory, request: SearchRequest, worker: Worker, model_folder: Path, observer: Observer
) -> Executor:
    """The executor of a search; worker processes begin to load at once.

    Args:
        run: gives the head that every run starts from, and takes the workers' logs.
        request: says how many workers.
        worker: loaded here, for planning and baselines; it gives up its device where others train.
        model_folder: with the base's weights.
        observer: is told when a worker was replaced.
    """
    if request.workers == 0:
        return InProcessExecutor(worker)
    own_metric = OWN_MARK in worker.task.metric
    if own_metric:
        require_importable(worker.task.metric)
    head = run.path / HEAD_START
    assert worker.data.folder is not None  # a search keeps its encoded data in the run directory
    setup = WorkerSetup(
        model=str(model_folder.absolute()),
        task=worker.task.id,
        data=str(worker.data.folder.absolute()),
        plan=worker.plan.to_dict(),
        catalog=request.catalog,
        metric=worker.task.metric,
        own_metric=own_metric,
        head_start=str(head.absolute()) if head.exists() else None,
        threads=request.threads or threads_each(request.workers * request.ranks),
        budget_bytes=worker_budget_bytes(request),
        context_bytes=DEVICE_CONTEXT_BYTES,
        base_precision=request.base_precision,
        base_checksums=read_json(run.path / "plan.json").get(BASE_CHECKSUMS),
        ranks=request.ranks,
    )
    devices = seats(request)
    if not is_quantized(worker.base):  # transformers moves none of those
        worker.base.to("cpu")
    release_memory(torch.device("cuda" if devices else "cpu"))
    if request.engine == "ray":
        from autopeft.execution.ray_cluster import RayExecutor  # an extra of its own

        address, gpus = request.ray_address or RAY_ADDRESS, request.gpus_per_trial
        return RayExecutor(setup, request.workers, address, gpus_each=gpus, note=observer.note)
    return WorkerPool(setup, request.workers, run.path / "workers", devices=devices, note=observer.note)


def threads_each(workers: int) -> int | None:
    """CPU threads of each of several workers that share this machine's cores; None leaves a single one its choice."""
    return None if workers == 1 else max(1, (os.cpu_count() or 1) // workers)


def seats(request: SearchRequest) -> list[str]:
    """The devices of each worker's place, as CUDA_VISIBLE_DEVICES names them; empty where there are none.

    Raises:
        MissingDependencyError: there are fewer than were asked for, or than the trials that run at a time need.
    """
    there, each = chosen_devices(request.gpus), request.ranks
    if each > 1 and there and request.engine != "ray" and len(there) < each * request.workers:
        raise MissingDependencyError(
            f"{request.workers} trials at a time on {each} GPUs each, but there are {len(there)} to train on",
            hint="`autopeft doctor` says what is there; lower --workers or --gpus-per-trial",
        )
    return [",".join(there[at : at + each]) for at in range(0, len(there) - each + 1, each)]


def worker_budget_bytes(request: SearchRequest) -> int | None:
    """What one worker may use of a device: several that sit on the same share --gpu-mem evenly."""
    places = len(seats(request)) if request.engine != "ray" else 0
    if request.gpu_mem_bytes is None or places == 0:
        return request.gpu_mem_bytes
    return request.gpu_mem_bytes // -(-request.slots // places)


def chosen_devices(count: int | None) -> list[str]:
    """The first so many of the CUDA devices that this process sees; all of them for None.

    Raises:
        MissingDependencyError: there are fewer.
    """
    there = visible_devices()
    if count is not None and count > len(there):
        shown = f"{len(there)} CUDA devices" if there else "no CUDA device"
        raise MissingDependencyError(
            f"--gpus {count}, but this machine shows {shown}", hint="`autopeft doctor` says what is there; lower --gpus"
        )
    return there[:count]


def visible_devices() -> list[str]:
    """The CUDA devices that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]
    return names[: torch.cuda.device_count()]
