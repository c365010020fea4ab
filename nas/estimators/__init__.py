"""Estimators: metrics of a configuration without training it."""
