"""Costs of networks, exact and before training: parameters, multiply-accumulates, memory."""
