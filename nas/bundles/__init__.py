"""Bundles, the folders that hold one trained network each: read, written and verified.

`bundle` is a trained network and all that is known of it, `read` opens one. `write` puts the folder
there whole or not at all, after `verify` has had it checked by `proof` in a process without this
toolkit. `model_file` writes the network as plain PyTorch, `formats` as torch.export and ONNX,
`card` as the model card; `transfer` adapts it to other classes and inputs.
"""
