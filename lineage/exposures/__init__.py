"""Which checkpoint was trained on whom, its ancestors' data included."""
