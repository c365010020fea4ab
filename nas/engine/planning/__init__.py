"""The forecast of a search before its first trial."""
