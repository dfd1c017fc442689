"""What a series is: facts gathered, rules asked, answers with evidence or "unknown"."""
