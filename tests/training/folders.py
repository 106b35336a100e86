"""What of a run folder must be equal in equal runs: all but clocks."""

import csv
import json

from npgrad.deploy.archive import read_archive


def contents(folder):
    """File name → what is comparable of it."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name == "progress.csv":
            rows = list(csv.DictReader(path.open()))
            found[path.name] = [{k: v for k, v in row.items() if k not in CLOCKS} for row in rows]
        elif path.name == "monitor.csv":
            first, *lines = path.read_text().splitlines()
            header = {k: v for k, v in json.loads(first[1:]).items() if k != "t_start"}
            found[path.name] = [header, *(line.split(",")[:2] for line in lines)]
        elif path.name.startswith("checkpoint"):
            _, arrays = read_archive(path)
            found[path.name] = {
                k: (v.dtype.str, v.shape, v.tobytes()) for k, v in arrays.items() if k != "loop/elapsed"
            }
        else:
            found[path.name] = path.read_bytes()
    return found


CLOCKS = ("time/fps", "time/time_elapsed")
