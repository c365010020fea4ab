"""For `torch.hub.load(FOLDER, "model", source="local")`."""

import importlib.util
from pathlib import Path

dependencies = ["torch", "safetensors"]


def model(pretrained: bool = True):
    """The network, trained or new."""
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(f"model_of_{here.name}", here / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(here / "weights.safetensors") if pretrained else module.Model()
