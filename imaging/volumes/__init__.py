"""From what frames state to volumes: order, steps, geometry, canonical axes, statistics; never interpolated."""
