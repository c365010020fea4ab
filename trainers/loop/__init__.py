"""The training loop: batches, one step, precision, CUDA graphs."""
