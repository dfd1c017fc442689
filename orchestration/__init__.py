"""How it runs: definitions, sensors, the headless runner, the command line.

Belongs here: what starts work and shows it. Does not belong here: the work.
"""
