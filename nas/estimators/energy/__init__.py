"""Energy in watt-hours: measured by counters of the machine, or estimated from processor seconds."""
