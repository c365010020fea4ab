"""Bundles, the folders that hold one winner each: written, proved, read and used again.

`reading` opens one. `contents` gathers what is known of a winner, `model_file` writes it as plain
PyTorch, `forms` as torch.export and ONNX, `card` as words and pictures; `writing` puts the folder
there whole or not at all, after `verify` has had it proved by `proof` in a process that knows
nothing of this toolkit.
"""
