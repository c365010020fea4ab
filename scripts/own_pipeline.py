"""Search the settings of a scikit-learn pipeline: an evaluator without networks and without torch.

python scripts/own_pipeline.py [--trials 40]
"""

import argparse

from sklearn import datasets, model_selection, pipeline, preprocessing, svm

import nas
from search_spaces import Choice, Real, Struct

x, y = datasets.load_wine(return_X_y=True)
kernel = Choice(
    Struct(name=Choice("linear")),
    Struct(name=Choice("rbf"), gamma=Real(1e-4, 10, log=True)),
)


@nas.evaluator(
    metrics=["accuracy"],
    hyperparameters=Struct(C=Real(1e-3, 1e3, log=True), kernel=kernel, scaled=Choice(True, False)),
)
def cross_validate(job):
    """Mean accuracy of five folds."""
    chosen = job.hyperparameters
    model = svm.SVC(
        C=chosen["C"], kernel=chosen["kernel"]["name"], gamma=chosen["kernel"].get("gamma", "scale")
    )
    if chosen["scaled"]:
        model = pipeline.make_pipeline(preprocessing.StandardScaler(), model)
    return model_selection.cross_val_score(model, x, y, cv=5).mean()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    run = nas.search(
        evaluator=cross_validate, strategy="bayesian", trials=trials, out="runs/own-pipeline"
    )
    best = run.best()
    print(f"{best.scores['accuracy']:.2%} with {dict(best.hyperparameters)}")
