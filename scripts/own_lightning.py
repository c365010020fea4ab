"""Search with a Lightning module as the training: its trainer trains, its metric is the objective.

python scripts/own_lightning.py [--trials 4] [--epochs 2]
"""

import argparse
import logging

import lightning
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import nas
from search_spaces import Real

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Classifier(lightning.LightningModule):
    """Trains a network by Adam, and logs its accuracy on the validation split."""

    def __init__(self, network, learning_rate):
        super().__init__()
        self.network, self.learning_rate = network, learning_rate

    def training_step(self, batch, _):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def validation_step(self, batch, _):
        x, y = batch
        self.log("accuracy", (self.network(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.learning_rate)


class Report(lightning.Callback):
    """Reports the accuracy of each epoch to the search."""

    def __init__(self, job):
        self.job = job

    def on_validation_epoch_end(self, trainer, _):
        accuracy = trainer.callback_metrics["accuracy"].item()
        self.job.report(trainer.current_epoch + 1, accuracy=accuracy)


@nas.evaluator(metrics=["accuracy"], hyperparameters={"lr": Real(1e-4, 1e-2, log=True)})
def train(job):
    """Train for the epochs of the job; the last reported accuracy is the result."""
    lightning.seed_everything(job.seed % 2**32, verbose=False)
    loaders = [
        DataLoader(TensorDataset(*job.data.tensors(part)), batch_size=64, shuffle=part == "train")
        for part in ("train", "validation")
    ]
    trainer = lightning.Trainer(
        max_epochs=job.epochs,
        accelerator="cpu",
        callbacks=[Report(job)],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Classifier(job.network(), job.hyperparameters["lr"]), *loaders)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
    chosen = parser.parse_args()
    run = nas.search(
        space="nasbench201:channels=4,cells=1",
        data="digits",
        evaluator=train,
        trials=chosen.trials,
        epochs=chosen.epochs,
        out="runs/own-lightning",
    )
    for trial in run.front:
        print(f"{trial.scores['accuracy']:.2%}  {trial.scores['parameters']:>7,}  {trial.number}")
