"""The evaluator `supernet`: one training for all architectures, each of which is then a forward pass."""
