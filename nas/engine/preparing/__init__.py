"""Preparation of a search before its first trial."""
