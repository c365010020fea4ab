"""Trainings on disk: weights, and the state that a paused training resumes from."""
