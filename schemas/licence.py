"""The terms under which data may be used: licence documents.

Belongs here: the fields of a licence that other documents of terms have not; the rest is `schemas.term`. What was known
when, and the record of decisions, is `lineage.terms`.
"""

from typing import Literal

from schemas.term import Kind, Term


class Licence(Term):
    """A licence document."""

    kind: Literal[Kind.LICENCE] = Kind.LICENCE
    """A document without a kind is a licence."""
    attribution: str = ""
    """How to name the licensor."""
