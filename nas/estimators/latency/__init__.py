"""Latency: the time of a forward pass, measured, and estimated before training."""
