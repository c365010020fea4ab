"""Mistakes of a network on the validation split: where it is wrong, and how badly."""
