"""The record that proves itself: events in a Merkle log, seals over it, and the judgement of both, offline."""
