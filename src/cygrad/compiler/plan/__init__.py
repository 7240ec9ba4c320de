"""Stage 2: the recorded events with the arrays that each one reads and writes, for passes to change."""

from cygrad.compiler.plan.plan import Plan, Provenance, Use, is_launch, launches_of

__all__ = ["Plan", "Provenance", "Use", "is_launch", "launches_of"]
