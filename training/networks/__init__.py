"""Networks behind one interface: encoders, decoders, baselines, and the arithmetic they share."""
