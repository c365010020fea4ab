"""A plain training loop, the reference that `trainers.train` is measured against.

It uses torchvision transforms for each sample, a `DataLoader` with workers and eager float32, and
reads the loss at every step. It follows the same recipe as `trainers.train`, except that flips do
not alternate, weights are not averaged, and weight decay applies to all parameters.
"""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Samples

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import LARGEST_HOLE, LARGEST_SHIFT
from trainers.determinism import derive_seed, seeded
from trainers.loop.train import Epoch
from trainers.recipes.optimizers import WARM_UP
from trainers.recipes.recipe import Recipe
from trainers.tasks.classification import Classification


def train_plainly(
    net: nn.Module, data: Dataset, recipe: Recipe, *, seed: int, workers: int
) -> Iterator[Epoch]:
    """Train `net` in place, on its device, by "sgd"; yield an `Epoch` after every pass.

    Args:
        net: The network, on the device to train on.
        data: Images of 1 or 3 channels, on the CPU.
        recipe: Gives batch size, learning rate, momentum, weight decay, label smoothing,
            augmentation and epochs.
        seed: Seed of order and augmentation.
        workers: Number of processes of the `DataLoader`; 0 for none.

    Raises:
        ValueError: The data are not such images, or the recipe's optimiser is not "sgd".
    """
    if data.train.inputs.dim() != 4 or data.input_shape[0] not in (1, 3):
        raise ValueError(f"want images of 1 or 3 channels, got inputs {data.input_shape}")
    if recipe.optimizer != "sgd":
        raise ValueError(f"want the optimiser sgd, got {recipe.optimizer}")
    device = next(net.parameters()).device
    learning, checking = _loaders(data, recipe, seed, workers, pin=device.type == "cuda")
    assert recipe.learning_rate is not None
    optimizer = torch.optim.SGD(
        net.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov and recipe.momentum > 0,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=recipe.epochs * len(learning) + 1,  # it ends at 0, where a step is wasted
        pct_start=WARM_UP,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    for number in range(1, recipe.epochs + 1):
        start, total_loss = perf_counter(), 0.0
        net.train()
        with seeded(derive_seed(seed, "plain", number), device):
            for x_B, labels_B in learning:
                x_B, labels_B = x_B.to(device), labels_B.to(device)
                optimizer.zero_grad()
                loss = criterion(net(x_B), labels_B)
                loss.backward()
                optimizer.step()
                schedule.step()
                total_loss += loss.item() * len(labels_B)
        found = _check(net, checking, device)
        yield Epoch(
            number=number,
            train_loss=total_loss / len(data.train),
            metrics=found,
            learning_rate=optimizer.param_groups[0]["lr"],
            seconds=perf_counter() - start,
        )


class _Transformed(Samples[tuple[Tensor, int]]):
    """A split whose samples are transformed one by one, as they are asked for."""

    def __init__(self, split: Split, transform: Any) -> None:
        self._images = split.inputs.permute(0, 2, 3, 1).squeeze(3).numpy()
        self._labels = split.targets.tolist()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        picture = Image.fromarray(self._images[index])
        return self._transform(picture), self._labels[index]


def _loaders(
    data: Dataset, recipe: Recipe, seed: int, workers: int, *, pin: bool
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The training split, augmented and shuffled, and the validation split as it is."""
    from torchvision import transforms

    *_, height, width = data.input_shape
    finish = [
        transforms.ToTensor(),
        transforms.Normalize((data.mean / 255).tolist(), (data.std / 255).tolist()),
    ]
    vary: list[Any] = []
    strength = recipe.augmentation
    if strength:
        reach = max(1, round(max(height, width) * LARGEST_SHIFT * strength))
        vary.append(transforms.RandomCrop((height, width), padding=reach))
        if data.flippable:
            vary.append(transforms.RandomHorizontalFlip())
        hole = (LARGEST_HOLE * strength) ** 2
        finish.append(transforms.RandomErasing(p=1.0, scale=(hole, hole), ratio=(1.0, 1.0)))
    learning = DataLoader(
        _Transformed(data.train, transforms.Compose(vary + finish)),
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=pin,
        drop_last=len(data.train) % recipe.batch_size == 1,  # batch norm refuses one example
        generator=Generator().manual_seed(derive_seed(seed, "order")),
    )
    checking = DataLoader(
        _Transformed(data.validation, transforms.Compose(finish[:2])),
        batch_size=recipe.batch_size,
        num_workers=workers,
        pin_memory=pin,
        generator=Generator().manual_seed(0),  # it shuffles nothing, but draws a seed for workers
    )
    return learning, checking


@torch.no_grad()
def _check(net: nn.Module, loader: DataLoader[Any], device: torch.device) -> dict[str, float]:
    """Accuracy and loss on the validation split."""
    net.eval()
    batches = ((net(x_B.to(device)), labels_B.to(device)) for x_B, labels_B in loader)
    return Classification().measure(batches)
