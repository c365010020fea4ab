"""Pareto fronts: of vectors, of trials, and their hypervolume."""
