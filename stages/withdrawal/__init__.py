"""A withdrawal carried out, step by step, and the proof that nothing is left."""
