"""Benchmarks: search strategies on a table, many seeds each, with statistics; training speed."""
