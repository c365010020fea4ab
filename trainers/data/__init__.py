"""Data sets as tensors, and how they are read."""
