"""Whether memory stays flat over a long run: resident megabytes of `npgrad train`, sampled along the way.

    python tests/studies/flat.py [--steps 1e6] [--engine compiled] [--algo reinforce] [--policy linear]

Exit status 1 if the last tenth of the run has more than 5 MB above the second tenth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from npgrad.algorithms.registry import algorithm
from npgrad.training import LoopState, RunFolder, train


def resident() -> float:
    """Megabytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def main() -> int:
    """Train and look."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=float, default=1e6)
    parser.add_argument("--engine", default="compiled")
    parser.add_argument("--algo", default="reinforce")
    parser.add_argument("--policy", default="linear")
    args = parser.parse_args()
    model = algorithm(args.algo).load()("CartPole-v1", policy=args.policy, engine=args.engine, seed=0)
    seen: list[tuple[int, float]] = []

    def look(state: LoopState) -> None:
        seen.append((state.state.timesteps, resident()))

    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder.create(Path(place) / "run", {"env": "CartPole-v1"})
        train(
            model.recipe, seed=0, total_timesteps=int(args.steps), folder=folder, callbacks=[look], checkpoint_every=1.0
        )
        folder.close()
    steps, megabytes = np.array(seen).T
    tenth = np.minimum((10 * steps / args.steps).astype(int), 9)
    means = [float(megabytes[tenth == i].mean()) for i in range(10)]
    print(f"{args.algo}, {args.policy}, {args.engine}: {args.steps:,.0f} steps, {len(seen)} iterations")
    print("megabytes by tenths of the run: " + ", ".join(f"{m:.1f}" for m in means))
    return int(means[-1] > means[1] + 5)


if __name__ == "__main__":
    sys.exit(main())
