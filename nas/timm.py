"""Registration of bundles with timm: `timm.create_model` then builds their networks.

Needs timm, which is not a dependency: `pip install timm`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.bundles.read import open_bundle

if TYPE_CHECKING:
    from torch import nn


def register(path: str | Path, name: str | None = None) -> str:
    """Register a bundle, so that `timm.create_model(name, pretrained=True)` builds its network.

    It takes `num_classes`; for another number than the bundle's the classifier is new.

    Args:
        path: The folder of the bundle.
        name: The name of the model in timm; by default the name of the folder.

    Returns:
        The name of the model.

    Raises:
        ValueError: the folder is not a bundle, or is damaged; timm is not installed, or has a
            model of that name.
    """
    try:
        import timm
    except ImportError:
        raise ValueError("nas.timm needs timm, which is not installed: pip install timm") from None
    bundle = open_bundle(path)
    name = name or re.sub(r"\W+", "_", Path(path).absolute().name)
    if timm.is_model(name):
        raise ValueError(f"timm has a model called {name!r} already: choose another name")

    def create(
        pretrained: bool = False, num_classes: int | None = None, **ignored: Any
    ) -> nn.Module:
        if unknown := {key for key, value in ignored.items() if value} - _OF_TIMM:
            raise ValueError(f"{name}: want no argument but num_classes, got {min(unknown)}")
        from nas.bundles.transfer import adapted

        classes = bundle.task.outputs if num_classes is None else num_classes
        if pretrained:
            return adapted(bundle, classes=classes).eval()
        return bundle.build(bundle.space(), bundle.task_for(classes))

    create.__name__ = create.__qualname__ = name
    create.__module__ = __name__
    timm.models.register_model(create)
    setattr(sys.modules[__name__], name, create)
    return name


_OF_TIMM = frozenset({"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"})
