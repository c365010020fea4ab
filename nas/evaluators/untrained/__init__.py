"""Evaluators that train nothing."""
