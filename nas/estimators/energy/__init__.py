"""Energy: watt-hours that counters of the machine measure, or that processor seconds let estimate."""
