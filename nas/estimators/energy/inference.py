"""Energy of predictions on the processor of this machine."""

from __future__ import annotations

from time import perf_counter, process_time

import torch
from torch import nn

from nas.estimators.energy.design_power import DesignPower, of_this_machine
from nas.estimators.energy.meter import Meter
from nas.estimators.energy.spell import JOULES, Spell
from nas.estimators.latency.backends import random_batch
from trainers.determinism import threads

PREDICTIONS = 1000
_MEASURED, _ESTIMATED = 1.0, 0.05  # seconds of predictions: counters change every millisecond


def of_predictions(
    net: nn.Module,
    input_shape: tuple[int, ...],
    *,
    meter: Meter | None = None,
    power: DesignPower | None = None,
) -> dict[str, float | str]:
    """Watt-hours of 1,000 predictions, one input at a time on one thread, and their origin.

    Args:
        net: The network, on the CPU and in evaluation mode.
        input_shape: Shape of one input, without the batch.
        meter: The counters; those of this machine by default.
        power: The design power; that of this machine by default.
    """
    meter, power = meter or Meter.of_this_machine(), power or of_this_machine()
    least = _MEASURED if meter.source("processor") else _ESTIMATED
    x = random_batch((1, *input_shape))
    with torch.inference_mode(), threads(1):
        net(x)
        with Spell(meter=meter, power=power) as spent:
            count, began, work = 0, perf_counter(), process_time()
            while not count or perf_counter() < began + least:
                net(x)
                count += 1
            work = process_time() - work
    # The memory is that of this process, and not of what predicts: an estimate leaves it out.
    wh = spent.wh if meter.source("processor") else power.joules(work) / JOULES
    return {"wh": wh * PREDICTIONS / count, "source": spent.source}
