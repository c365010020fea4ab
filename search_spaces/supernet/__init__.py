"""Supernets: one set of weights that the networks of all architectures of a space share."""
