"""Search strategies side by side on a table: many seeds each, with statistics."""
