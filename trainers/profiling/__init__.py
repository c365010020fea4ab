"""Measurements of a training: memory, phases of a step, the roofline, the plain loop."""
