"""Event files of TensorBoard, written in the calling thread, so that errors are raised there."""

from __future__ import annotations

import os
import platform
from io import BytesIO
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
    from matplotlib.figure import Figure


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

    if figure.get_layout_engine() is not None:  # TensorBoard shows pictures small: larger letters
        width, height = figure.get_size_inches()
        figure.set_size_inches(0.65 * width, 0.65 * height)
        figure.set_dpi(170)
    data = BytesIO()
    canvas = FigureCanvasAgg(figure)
    canvas.print_png(data, pil_kwargs={"compress_level": 4})  # type: ignore[no-untyped-call]
    width, height = canvas.get_width_height()
    return _image(tag, data.getvalue(), height, width)


def picture(tag: str, image: NDArray[np.uint8]) -> Any:
    """A summary with an image, uint8 (height, width, 3)."""
    from PIL import Image

    data = BytesIO()
    Image.fromarray(image).save(data, format="png")
    return _image(tag, data.getvalue(), image.shape[0], image.shape[1])


def _image(tag: str, png: bytes, height: int, width: int) -> Any:
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
