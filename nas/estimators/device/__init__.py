"""Latency or energy on a device, estimated from few measured networks and other devices."""
