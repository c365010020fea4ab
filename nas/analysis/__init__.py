"""Analyses of runs, as numbers: explanation, trust, lineage, progress, comparison."""
