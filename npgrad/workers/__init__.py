"""Who computes units of work that leave this process: processes, Dask, MPI, Ray, any `concurrent.futures.Executor`.

A unit is a picklable function of a picklable argument, fixed by the settings; an engine decides only where it runs. So
results depend neither on the number nor on the kind of workers, nor on which of them died: a unit that is lost is
computed again, with the same bits.
"""

from .engines import ENGINES, Engine, Given, open_workers
from .mapping import Workers, split

__all__ = ["ENGINES", "Engine", "Given", "Workers", "open_workers", "split"]
