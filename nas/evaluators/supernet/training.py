"""Train a supernet, or go on with its training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import trainers
from nas.core.configuration import Configuration
from nas.evaluators.job import Workspace
from nas.evaluators.supernet.sampling import Accepts, Paths
from nas.evaluators.supernet.settings import SupernetSettings
from nas.evaluators.supernet.step import PathStep
from nas.runs.control.supernet import read_facts, write_facts
from search_spaces.supernet.weights import SharedWeights
from trainers import Dataset, Epoch
from trainers.checkpoints import pausing
from trainers.checkpoints import weights as checkpoint
from trainers.loop.batch_step import EagerStep
from trainers.loop.batches import batch_sizes
from trainers.loop.train import train_in_steps

FILE = "supernet.safetensors"  # weights, optimiser and curve after the last epoch that has ended
_SAID = 10  # messages of a whole training


def initial(workspace: Workspace) -> SharedWeights:
    """The weights of a supernet before its training, on the device.

    Raises:
        ValueError: the space has no supernets.
    """
    assert workspace.task is not None, "a search with data has a task"
    seed = trainers.derive_seed(workspace.seed, "supernet")
    weights = SharedWeights(workspace.space, workspace.task, seed=seed)
    return weights.to(trainers.resolve(workspace.device))


def load(workspace: Workspace) -> SharedWeights:
    """The trained weights.

    Raises:
        ValueError: they are missing or damaged.
    """
    weights = initial(workspace)
    tensors = checkpoint.load_sealed(workspace.folder / FILE)
    found = {n.removeprefix("weights."): t for n, t in tensors.items() if n.startswith("weights.")}
    try:
        weights.load_state_dict(found)
    except RuntimeError as error:
        raise ValueError(f"{workspace.folder / FILE}: not of this supernet") from error
    return weights


def train(workspace: Workspace, settings: SupernetSettings, data: Dataset) -> SharedWeights:
    """Train the supernet of a search; a training that was killed goes on after its last epoch.

    The result is the same as without a kill: draws and batches follow from the seed and the epoch.

    Args:
        workspace: The workspace, with the limits. Its folder gets the checkpoint.
        settings: The settings.
        data: The data, on the device.

    Raises:
        ValueError: the space has no supernets.
        Diverged: the loss was no longer a finite number.
        TimeUp: the budget of the search is spent; the epochs so far are kept.
    """
    assert workspace.task is not None, "a search with data has a task"
    path, recipe = workspace.folder / FILE, settings.recipe
    weights = initial(workspace)
    optimizer = trainers.make_optimizer(weights, recipe)
    curve: list[Epoch] = []
    if path.exists():
        try:
            curve = pausing.restore(weights, optimizer, checkpoint.load_sealed(path)).epochs
        except ValueError as error:
            workspace.notify(f"supernet: trained from the beginning: {error}")
            weights, curve = initial(workspace), []
            optimizer = trainers.make_optimizer(weights, recipe)
    paths = Paths(workspace.space, workspace.task, settings.sampling, accepts_of(workspace))
    done = len(curve)
    each = len(batch_sizes(len(data.train), recipe.batch_size, data.device))

    def step(eager: EagerStep) -> PathStep:
        return PathStep(eager, weights, paths, f"{workspace.seed}/paths", done * each)

    steps = train_in_steps(
        weights,
        replace(data, validation=data.validation.part(slice(0))),  # no path stands for all
        recipe,
        seed=trainers.derive_seed(workspace.seed, "supernet"),
        optimizer=optimizer,
        done=done,
        own_step=step,
    )
    if done < recipe.epochs:
        workspace.check_budget()
    with closing(steps):
        for epoch in steps if done < recipe.epochs else ():
            if epoch is not None:
                curve.append(epoch)
                checkpoint.save_sealed(path, pausing.state(weights, optimizer, curve))
                _note(workspace.folder, curve)
                _say(workspace, curve, recipe.epochs)
                if epoch.number < recipe.epochs:
                    workspace.check_budget()
    return weights


def _note(folder: Path, curve: Sequence[Epoch]) -> None:
    """Record the losses, and the seconds of the last epoch; those before a kill count."""
    before = read_facts(folder)
    losses = tuple(epoch.train_loss for epoch in curve)
    write_facts(folder, replace(before, losses=losses, seconds=before.seconds + curve[-1].seconds))


def accepts_of(workspace: Workspace) -> Accepts:
    """The limits on architectures: whatever hyperparameters there were, an evaluation has none."""
    joint = workspace.joint
    if joint is None:
        return lambda _: True
    return lambda architecture: joint.is_feasible(Configuration.of(architecture))


def _say(workspace: Workspace, curve: Sequence[Epoch], epochs: int) -> None:
    """Report the loss about ten times."""
    number = len(curve)
    if number * _SAID // epochs > (number - 1) * _SAID // epochs:
        loss = curve[-1].train_loss
        workspace.notify(f"supernet: epoch {number} of {epochs}, training loss {loss:.3f}")
