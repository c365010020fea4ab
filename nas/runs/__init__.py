"""The folder of a run: its settings, header, journal and lock."""
