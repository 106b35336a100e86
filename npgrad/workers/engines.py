"""The engines: how each is opened, asked for its size, and rid of workers that hang."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from ..errors import InvalidInput, MissingExtra, WorkerFailure
from ..validation import require_in, require_positive
from .calls import dask_setup, deaf, prepare
from .lanes import DaskExecutor, Lanes
from .mapping import TIME_LIMIT, Workers

__all__ = ["ENGINES", "MPI", "Dask", "Engine", "Given", "Processes", "Ray", "open_workers"]


class Engine(Protocol):
    """A source of executors."""

    def open(self) -> Executor:
        """An executor that takes calls."""

    def size(self, executor: Executor) -> int:
        """How many calls it works on at a time."""

    def renew(self, executor: Executor) -> Executor:
        """An executor without the workers that hang or are lost."""

    def close(self, executor: Executor, at_once: bool) -> None:
        """Let go of everything; `at_once`: without waiting for what the workers are at."""


@dataclass(frozen=True)
class Given:
    """An executor of the user's own, which is neither closed nor replaced."""

    executor: Executor
    workers: int = 1

    def open(self) -> Executor:
        """It."""
        return self.executor

    def size(self, executor: Executor) -> int:
        """As the user says."""
        return self.workers

    def renew(self, executor: Executor) -> Executor:
        """Left to the user."""
        return executor

    def close(self, executor: Executor, at_once: bool) -> None:
        """Left to the user."""


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, spawned: nothing is shared with them, and nothing is left of them."""

    workers: int

    def open(self) -> Lanes:
        """Workers that begin as they are needed."""
        context = multiprocessing.get_context("spawn")
        return Lanes(self.workers, lambda: ProcessPoolExecutor(1, mp_context=context, initializer=prepare))

    def size(self, executor: Executor) -> int:
        """As asked for."""
        return self.workers

    def renew(self, executor: Executor) -> Executor:
        """Others in the place of those that are still at work; the dead have been replaced."""
        if isinstance(executor, Lanes):
            executor.renew()
        return executor

    def close(self, executor: Executor, at_once: bool) -> None:
        """Wait for them, or kill them."""
        if at_once and isinstance(executor, Lanes):
            executor.kill()
        executor.shutdown(wait=True)


@dataclass(frozen=True)
class Dask:
    """A Dask cluster by the address of its scheduler, or one of this machine, made for the purpose."""

    workers: int | None
    address: str | None = None
    patience: float = 30.0  # seconds that a scheduler may take to answer
    _clients: list[Any] = field(default_factory=list)

    def open(self) -> Executor:
        """`Client.get_executor`."""
        distributed = _module("distributed", "dask")
        if not self._clients:
            if self.address:
                with _unreachable(self.address):
                    self._clients.append(distributed.Client(self.address, timeout=self.patience))
            else:
                with deaf():
                    cluster = distributed.LocalCluster(
                        n_workers=self.workers or 1,
                        threads_per_worker=1,
                        dashboard_address=":0",
                        silence_logs=50,
                        preload=[dask_setup.__module__],
                    )
                self._clients.extend([distributed.Client(cluster), cluster])
        return DaskExecutor(self._clients[0])

    def size(self, executor: Executor) -> int:
        """As many as there are now."""
        threads = self._clients[0].nthreads()
        if isinstance(executor, DaskExecutor):
            executor.homes = sorted(threads)
        return max(1, int(sum(threads.values())))

    def renew(self, executor: Executor) -> Executor:
        """Let the nannies restart the workers."""
        self._clients[0].restart(timeout=60)
        return executor

    def close(self, executor: Executor, at_once: bool) -> None:
        """Leave the cluster, and close it if it was made here."""
        for part in self._clients:
            part.close()
        self._clients.clear()


@dataclass(frozen=True)
class MPI:
    """Ranks: under ``mpiexec -n N python -m mpi4py.futures`` those of the job, else `workers` spawned ones."""

    workers: int | None

    def open(self) -> Executor:
        """`mpi4py.futures.MPIPoolExecutor`."""
        futures = _module("mpi4py.futures", "mpi")
        if _module("mpi4py.MPI", "mpi").COMM_WORLD.size == 1 and not shutil.which("mpiexec"):
            raise WorkerFailure(
                "MPI spawns ranks by way of mpiexec, which is not on the PATH; put it there, or start the job as "
                "mpiexec -n N python -m mpi4py.futures -m npgrad train …"
            )
        executor: Executor = futures.MPIPoolExecutor(self.workers)
        return executor

    def size(self, executor: Executor) -> int:
        """Ranks but for the first."""
        return int(getattr(executor, "num_workers", self.workers or 1)) or 1

    def renew(self, executor: Executor) -> Executor:
        """MPI can neither kill nor replace a rank."""
        raise WorkerFailure("MPI replaces no rank; end the job, and start it again with --resume")

    def close(self, executor: Executor, at_once: bool) -> None:
        """Wait for them, unless they may hang."""
        executor.shutdown(wait=not at_once)


class RayExecutor(Executor):
    """Ray's tasks as an executor."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._remote: dict[Any, Any] = {}
        self._refs: list[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A task."""
        task = self._remote.setdefault(fn, self._ray.remote(max_retries=0)(fn))
        ref = task.remote(*args, **kwargs)
        self._refs = [*self._refs[-4096:], ref]
        future: Future[Any] = ref.future()
        return future

    def cancel_all(self) -> None:
        """End what runs, by force."""
        for ref in self._refs:
            with suppress(Exception):
                self._ray.cancel(ref, force=True)
        self._refs.clear()


@dataclass(frozen=True)
class Ray:
    """A Ray cluster by its address, or one of this machine."""

    workers: int | None
    address: str | None = None

    def open(self) -> Executor:
        """Tasks of one processor each."""
        ray = _module("ray", "ray")
        if not ray.is_initialized():
            with _unreachable(self.address or "this machine"):
                sizes = {} if self.address else {"num_cpus": self.workers, "include_dashboard": False}
                ray.init(address=self.address, log_to_driver=False, logging_level="error", **sizes)
        return RayExecutor(ray)

    def size(self, executor: Executor) -> int:
        """Its processors."""
        return max(1, int(_module("ray", "ray").cluster_resources().get("CPU", 1)))

    def renew(self, executor: Executor) -> Executor:
        """Cancel what hangs."""
        if isinstance(executor, RayExecutor):
            executor.cancel_all()
        return executor

    def close(self, executor: Executor, at_once: bool) -> None:
        """Leave the cluster, and end it if it was made here."""
        _module("ray", "ray").shutdown()


ENGINES = ("threads", "processes", "dask", "mpi", "ray")


def open_workers(
    executor: str = "processes",
    workers: int | None = None,
    address: str | None = None,
    time_limit: float | None = TIME_LIMIT,
) -> Workers:
    """Workers of an engine by its name; nothing is started before the first unit.

    Parameters
    ----------
    executor : {"processes", "dask", "mpi", "ray"}
        The engine.
    workers : int, optional
        How many; not needed where a cluster says so.
    address : str, optional
        Of a Dask scheduler or a Ray cluster.
    time_limit : float, optional
        Seconds without any unit done after which the workers at work are taken for hung; None: wait for ever.

    Raises
    ------
    UnknownName, InvalidInput
        If there is no such engine, or it has no use for the address.

    Examples
    --------
    >>> with open_workers("processes", 2) as workers:
    ...     workers.n
    2
    """
    require_in("executor", executor, ENGINES)
    if workers is not None:
        require_positive("workers", workers)
    if address and executor not in ("dask", "ray"):
        raise InvalidInput(f"address is {address}, but {executor} has no use for it; drop it, or choose dask or ray")
    if executor in ("threads", "processes") and workers is None:
        raise InvalidInput(f"executor is {executor}, but nobody says how many; give workers too")
    engine: Engine
    if executor == "dask":
        engine = Dask(workers, address)
    elif executor == "mpi":
        engine = MPI(workers)
    elif executor == "ray":
        engine = Ray(workers, address)
    elif executor == "processes":
        engine = Processes(workers or 1)
    else:
        raise InvalidInput("threads share this process: use npgrad.pool.thread_pool")
    return Workers(engine, time_limit)


def _module(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"this engine needs {name} ({error}); pip install 'npgrad[{extra}]'") from error


class _unreachable:
    """Whatever a client says of an address where nobody answers becomes one line."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            raise WorkerFailure(f"no cluster answers at {self.address} ({error}); is it running?") from error
