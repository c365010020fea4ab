"""A complete search, as a program against the public API, with the defaults of `nas search`.

Shows: what a search is made of, how to look at its trials, and how to take the winner away.

    python scripts/search.py [--trials 40] [--out runs/script]
"""

import argparse

import nas

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--trials", type=int, default=40)
parser.add_argument("--out", default="runs/script")
args = parser.parse_args()

# Search. Run it again with the same `out` and more trials, and it continues.
run = nas.search(
    space="nasbench201:channels=8,cells=1",  # what may be built
    data="digits",  # 1,797 scanned digits that ship with scikit-learn
    strategy="evolution",  # which to build next
    trials=args.trials,
    epochs=5,  # of each trial: brief
    seed=0,  # same seed, same trials
    out=args.out,
)

# Look: every trial is recorded, failed ones with their cause.
print(f"{len(run.trials)} trials, {len(run.failures)} failed, hypervolume {run.hypervolume():.4f}")
for trial in run.front:
    scores = trial.scores
    notation = run.space.format(trial.architecture)
    print(f"{scores['accuracy']:.2%}  {scores['parameters']:>9,} parameters  {notation}")

# Take away: a folder with the trained network.
bundle = run.export(run.best("knee"), f"{args.out}-winner", force=True)
net = nas.load_bundle(bundle.path)
print(f"{bundle.path}: {sum(p.numel() for p in net.parameters()):,} parameters, ready to use")
