"""Runs, trials and analyses as text of at most 80 columns."""
