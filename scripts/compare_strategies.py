"""Compare strategies by real searches: mean hypervolume over seeds, with its standard error.

Shows: whether a strategy is better than random search at the same number of trials. Every search
is a run of its own under --out, so an interrupted comparison continues.

    python scripts/compare_strategies.py --trials 100 --seeds 10
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev

import nas


def hypervolume(strategy: str, seed: int, args: argparse.Namespace) -> float:
    """Run one search, or what is left of it; its hypervolume."""
    run = nas.search(
        space=args.space,
        data=args.data,
        strategy=strategy,
        trials=args.trials,
        epochs=args.epochs,
        seed=seed,
        out=Path(args.out) / f"{strategy}-{seed}",
    )
    return run.hypervolume()


def main() -> None:
    """Run all searches over the cores and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strategies", nargs="+", default=["random", "evolution", "nsga2"])
    parser.add_argument("--space", default="nasbench201:channels=8,cells=1")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", default="runs/compare")
    args = parser.parse_args()

    volumes: dict[str, list[float]] = {strategy: [] for strategy in args.strategies}
    jobs = [(strategy, seed) for seed in range(args.seeds) for strategy in args.strategies]
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(hypervolume, *job, args) for job in jobs]
        for (strategy, seed), future in zip(jobs, futures, strict=True):
            volumes[strategy].append(future.result())
            print(f"{strategy:10} seed {seed}  {future.result():.4f}", flush=True)
    print(f"\n{args.trials} trials, {args.seeds} seeds, {args.space} on {args.data}")
    for strategy, values in volumes.items():
        error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        print(f"{strategy:10} hypervolume {mean(values):.4f} +- {error:.4f}")


if __name__ == "__main__":
    main()
