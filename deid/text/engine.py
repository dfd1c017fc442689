"""Presidio, set up with our patterns: no language model, and no way to the network.

Belongs here: the engine, which takes seconds to import, so that a function that needs it imports this. What it looks
for is `deid.text.recognizers`.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import regex
from presidio_analyzer import AnalyzerEngine, LocalRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from deid.text.recognizers import PATTERNS, Pattern

_LONGEST_S = 60
"""Seconds for a pattern and a text, as Presidio has them; a report takes milliseconds."""
_UNWATCHED = 1000
"""Characters of a text that is searched without a look at the clock, which takes longer than the search."""


class Recognizer(LocalRecognizer):  # type: ignore[misc] # Presidio has no types
    """All patterns as one: what Presidio does around each recognizer takes longer than to search a header's text.

    Presidio's own also passes over a pattern that takes too long. Here the whole text is then taken for what the
    pattern is of.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Compile the patterns."""
        flags = {True: regex.M, False: regex.M | regex.I}
        self._searches = [(p, regex.compile(p.regex, flags[p.cased]).finditer) for p in patterns]
        super().__init__(sorted({pattern.entity for pattern in patterns}), name="patterns")

    def load(self) -> None:
        """Nothing: Presidio asks each recognizer for a model."""

    def analyze(self, text: str, *_: Any, **__: Any) -> list[RecognizerResult]:
        """What the patterns find, each by its own name."""
        return [
            RecognizerResult(pattern.entity, *span, pattern.score, recognition_metadata=self._told(pattern))
            for pattern, found in self._searches
            for span in _spans(found, text)
        ]

    def _told(self, pattern: Pattern) -> dict[str, str]:
        return {
            RecognizerResult.RECOGNIZER_NAME_KEY: pattern.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
        }


@cache
def analyzer() -> AnalyzerEngine:
    """Presidio with these patterns only: no model, no predefined recognizer that could reach for the network.

    Presidio's e-mail and URL recognizers fetch the public-suffix list when first used, so both are ours.
    """
    return engine_of(PATTERNS)


def engine_of(patterns: Sequence[Pattern]) -> AnalyzerEngine:
    """Presidio with some patterns."""
    engine = NoOpNlpEngine([{"lang_code": "en", "model_name": "no_op"}])
    engine.load()
    registry = RecognizerRegistry(recognizers=[Recognizer(patterns)], supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def _spans(found: Any, text: str) -> list[tuple[int, int]]:
    """Passages that a pattern finds; the whole text where it runs out of time."""
    longest = _LONGEST_S if len(text) > _UNWATCHED else None
    try:
        return [match.span() for match in found(text, timeout=longest) if match[0]]
    except TimeoutError:
        return [(0, len(text))]
