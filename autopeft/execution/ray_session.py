"""Ray itself: connected to, asked what it has, and its errors in words. The only module that imports it."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autopeft.errors import MissingDependencyError, RunError

LOCAL = "local"
ANSWER_SECONDS = 10.0
# Ray ends the whole process a minute after its head has gone: before that the search stops by itself.
LOOK_SECONDS = 5.0
MOST_SILENT_LOOKS = 3


def connected(address: str, actors: int, cpus_each: int) -> Any:
    """Ray, connected to the cluster.

    Raises:
        MissingDependencyError: it is not installed.
        RunError: there is no cluster.
    """
    # Read by Ray when it is imported and started: it reports nothing home, and leaves CUDA_VISIBLE_DEVICES alone
    # where no GPU was asked for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingDependencyError("--engine ray needs Ray", hint="pip install 'autopeft[ray]'") from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "autopeft"}
    local = {"num_cpus": max(actors * cpus_each, 1), "include_dashboard": False} if address == LOCAL else {}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        ray.init(address=address, **quiet, **local)
    except Exception as error:  # plain ones too, as where a node of a busy machine takes too long to start
        ray.shutdown()
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise RunError(
            f"no Ray cluster answers at {address}: {reason}",
            hint="start one with `ray start --head`, or name --ray-address local",
        ) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray sets its own; the search alone decides what it means
    return ray


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
        ValueError: the port is no number.
    """
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()


class Head:
    """The cluster's head node: looked for from time to time.

    Args:
        address: host and port of what keeps the cluster's state.
        clock: gives seconds that never go backwards.
    """

    def __init__(self, address: str, clock: Callable[[], float]) -> None:
        self._address = address
        self._clock = clock
        self._looked = clock()
        self._silent = 0

    @property
    def gone(self) -> bool:
        """Whether it was given up."""
        return self._silent >= MOST_SILENT_LOOKS

    def look(self) -> None:
        """Look, if it is time to.

        Raises:
            RunError: nobody has been there several times in a row.
        """
        if self._clock() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._clock()
        try:
            _knock(self._address)
            self._silent = 0
        except OSError as error:
            self._silent += 1
            if self.gone:
                raise cluster_gone(error) from error


def cluster_gone(error: Exception) -> RunError:
    """What is said where the cluster itself does not answer any more."""
    return RunError(
        f"the Ray cluster's head does not answer any more: {type(error).__name__}: {error}",
        hint="when there is a cluster again, `autopeft resume` goes on",
    )


@contextmanager
def cluster_there() -> Iterator[None]:
    """Ask Ray something.

    Raises:
        RunError: the cluster is not there.
    """
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise cluster_gone(error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("ray", "grpc"):
            raise cluster_gone(error) from error
        raise


def gpus_for_each(ray: Any, asked: float | None, actors: int) -> float:
    """GPUs for each actor; None asks for one where the cluster has any.

    Raises:
        RunError: the cluster has fewer.
    """
    there = float(ray.cluster_resources().get("GPU", 0.0))
    each = (1.0 if there else 0.0) if asked is None else asked
    if each * actors > there:
        ray.shutdown()
        raise RunError(
            f"the Ray cluster has {there:g} GPUs: {actors} workers with {each:g} each do not fit",
            hint="lower --workers or --gpus-per-trial",
        )
    return each


def cause_of(error: Any) -> str:
    """Why an actor is gone, in words, from what Ray raised."""
    if getattr(error, "preempted", False):
        return "was on a node that was taken away"
    inner = getattr(error, "cause", None) or error  # what our own code raised, or why the actor is gone
    text = str(inner).strip().splitlines()
    return f"ended ({type(inner).__name__}: {text[0] if text else 'no reason given'})"
