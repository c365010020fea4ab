"""Event files of TensorBoard, written in the calling thread, so that errors are raised there."""

from __future__ import annotations

import os
import platform
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure


PIXELS = 350  # width of a picture on the page, which leaves out pixels of a wider one
DPI = 90


class Events:
    """An event file in `folder`.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time())}.{platform.node()}.{os.getpid()}.0"
        self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time(), file_version="brain.Event:2"))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, content: Any, step: int, when: float) -> None:
        """Write one summary.

        Args:
            content: A `Summary` message.
            step: Number of the trial or the epoch.
            when: Time of the event, in seconds since 1970.
        """
        self._write(Event(summary=content, step=step, wall_time=when))

    def scalar(self, tag: str, value: float, step: int, when: float) -> None:
        """Write one point of a curve."""
        self.add(Summary(value=[Summary.Value(tag=tag, simple_value=value)]), step, when)

    def flush(self) -> None:
        """Flush the file, so that readers see all events."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())


def text(tag: str, markdown: str) -> Any:
    """A summary with a page of text, as Markdown."""
    metadata = create_summary_metadata(display_name="", description="")
    tensor = TensorProto(
        dtype=DT_STRING, string_val=[markdown.encode()], tensor_shape=TensorShapeProto()
    )
    value = Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor)
    return Summary(value=[value])


def figure_picture(tag: str, figure: Figure) -> Any:
    """A summary with a picture of `figure`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    fitted = figure.get_layout_engine() is not None
    if fitted:
        width, height = figure.get_size_inches()
        figure.set_dpi(DPI)
        figure.set_size_inches(PIXELS / DPI, 1.15 * PIXELS / DPI * height / width)
    data = BytesIO()
    canvas = FigureCanvasAgg(figure)
    if fitted:
        _thin(figure, canvas)
    canvas.print_png(data, pil_kwargs={"compress_level": 4})  # type: ignore[no-untyped-call]
    width, height = canvas.get_width_height()
    return _image(tag, data.getvalue(), height, width)


def _thin(figure: Figure, canvas: FigureCanvasAgg) -> None:
    """Leave out every other tick of an x axis whose labels touch."""
    from matplotlib.ticker import FixedLocator

    for axes in figure.axes:
        axes.tick_params(labelsize=8)
    canvas.draw()  # type: ignore[no-untyped-call]
    for axes in figure.axes:
        low, high = sorted(axes.get_xlim())
        ticks = [float(tick) for tick in axes.get_xticks() if low <= tick <= high]
        labels = axes.get_xticklabels()
        boxes = sorted(
            (box.x0, box.x1)
            for label in labels
            if label.get_text() and (box := label.get_window_extent()).width
        )
        if any(x0 < x1 + 3 for (_, x1), (x0, _) in pairwise(boxes)):
            axes.xaxis.set_major_locator(FixedLocator(ticks[::2]))


def picture(tag: str, image: NDArray[np.uint8]) -> Any:
    """A summary with an image, uint8 (height, width, 3)."""
    from PIL import Image

    data = BytesIO()
    Image.fromarray(image).save(data, format="png")
    return _image(tag, data.getvalue(), image.shape[0], image.shape[1])


def _image(tag: str, png: bytes, height: int, width: int) -> Any:
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
