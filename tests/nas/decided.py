"""The part of a journal that another run of the same search must repeat."""

import json


def decided(path):
    """The journal of the run in `path`, line for line, but for what is measured."""
    return [
        {k: v for k, v in json.loads(line)["trial"].items() if k != "measured"}
        for line in (path / "trials.jsonl").read_text().splitlines()
    ]
