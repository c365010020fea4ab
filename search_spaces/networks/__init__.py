"""The networks that architectures compile to. Everything here imports torch, and nothing else."""
