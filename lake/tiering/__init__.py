"""Storage tiers: what keeping files costs under a policy, which tier each belongs on, and how they are moved.

Belongs here: planning (`fleet`, `charges`, `costs`, `optimum`, `rules`, `online`, `comparison`) and moving (`places`,
`mover`, `folders`, `objects`). What is known of past and future use is handed in as data; `stages.upkeep.tiers`
composes it.
"""
