"""What may be done with whose data: documents over time, decisions asked before the work, and refusals."""
