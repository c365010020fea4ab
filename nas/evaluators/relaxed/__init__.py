"""Training of a mixed network and its operation weights, for differentiable strategies."""
