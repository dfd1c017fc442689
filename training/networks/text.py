"""Text encoders: our own, small and trained with the images, or a Hugging Face model out of a local folder.

Belongs here: from texts to vectors. Which texts go with an image is `training.data.captions`.
"""

import importlib
import unicodedata
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.config.pretrain import ContrastiveConfig
from training.data.tokens import Packed
from training.errors import TrainingError
from training.networks.vit import Transformer

LONGEST_WORD = 8
"""Characters of a word; a longer run is cut, since scripts without spaces give runs as long as sentences."""

PART = 4
"""Characters of the longest part of a word that is looked up."""


class TextEncoder(nn.Module, ABC):
    """From texts to vectors."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Channels of a vector."""

    @abstractmethod
    def forward(self, texts: Sequence[str]) -> Tensor:
        """(N, width) one vector a text."""


def words(text: str) -> Iterator[str]:
    """The words of a text in any script, lower-cased; punctuation marks are words of their own."""
    for is_word, run in groupby(unicodedata.normalize("NFKC", text).casefold(), key=_in_word):
        characters = "".join(run)
        if is_word:
            yield from (characters[i : i + LONGEST_WORD] for i in range(0, len(characters), LONGEST_WORD))
        else:
            yield from (character for character in characters if not character.isspace())


def _in_word(character: str) -> bool:
    # letters, the marks that belong to them (vowel signs of Arabic and Indic scripts), digits
    return unicodedata.category(character)[0] in "LMN"


def parts(word: str, buckets: int) -> list[int]:
    """Rows of a table of `buckets` rows for a word and for each of its parts, of any script, seen before or not.

    Source: Bojanowski et al., Enriching Word Vectors with Subword Information, TACL 2017, section 3.2.
    """
    marked = f"\x02{word}\x03"
    found = {marked[i : i + n] for n in range(1, PART + 1) for i in range(len(marked) - n + 1)} | {marked}
    return sorted(zlib.crc32(part.encode()) % buckets for part in found - {"\x02", "\x03"})


class HashedText(TextEncoder):
    """Words as the mean of their hashed parts, then a small transformer: no vocabulary to learn, fetch or ship."""

    def __init__(self, config: ContrastiveConfig) -> None:
        """Make an encoder with random weights."""
        super().__init__()
        self._words, self._buckets = config.words, config.buckets
        self.table = nn.EmbeddingBag(config.buckets, config.text_dim, mode="mean")
        self.transformer = Transformer(config.text_dim, config.text_depth, config.text_heads, 4.0, 2.0)

    @property
    def width(self) -> int:
        """Channels of a vector."""
        return self.table.embedding_dim

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(N, width) the mean over the words of each text; a text without words is one unknown word."""
        read = [list(words(text))[: self._words] or [""] for text in texts]
        rows = [parts(word, self._buckets) for sentence in read for word in sentence]
        device = self.table.weight.device
        starts = torch.tensor([0, *accumulate(len(row) for row in rows)][:-1], device=device)
        tokens = self.table(torch.tensor([place for row in rows for place in row], device=device), starts)
        lengths = tuple(len(sentence) for sentence in read)
        features = self.transformer(tokens, _in_line(lengths, device))
        return torch.stack([part.mean(0) for part in features.split(lengths)])


def _in_line(lengths: tuple[int, ...], device: torch.device) -> Packed:
    """Places of packed words, as if one word were a millimetre along every axis, so that all channels turn."""
    place = torch.cat([torch.arange(n, device=device) for n in lengths]).unsqueeze(1).expand(-1, 3)
    offsets = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)
    return Packed((), (), place.float(), place, (), offsets, lengths)


class FolderText(TextEncoder):
    """A Hugging Face text model out of a local folder: the mean of its last layer. Nothing is downloaded."""

    def __init__(self, folder: Path, most: int) -> None:
        """Read a model and its tokenizer.

        Args:
            folder: holds `config.json`, `model.safetensors` and the tokenizer's files.
            most: longest text in the model's tokens; what follows is left out.

        Raises:
            TrainingError: if the folder is not there or holds no such model, or `transformers` is not installed.
        """
        super().__init__()
        if not folder.is_dir():
            raise TrainingError("text_folder: found no such folder, needed one with a Hugging Face text model")
        try:
            transformers: Any = importlib.import_module("transformers")  # not a dependency: few have a folder to read
        except ImportError:
            raise TrainingError(
                "text_folder: found no transformers package, needed it to read a Hugging Face folder; install it, or "
                "leave text_folder out to train a text encoder of our own"
            ) from None
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            # safetensors only: a pickle could run whatever it likes
            self.model: Any = transformers.AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError):
            raise TrainingError(
                "text_folder: found no readable model in it, needed config.json, model.safetensors and a tokenizer"
            ) from None
        self._most = most

    @property
    def width(self) -> int:
        """Channels of a vector."""
        return int(self.model.config.hidden_size)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(N, width) the mean over the tokens of each text."""
        given = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._most, return_tensors="pt"
        ).to(self.model.device)
        features: Tensor = self.model(**given).last_hidden_state
        there = given["attention_mask"].unsqueeze(-1).to(features.dtype)
        return (features * there).sum(1) / there.sum(1).clamp_min(1)


def make_text(config: ContrastiveConfig) -> TextEncoder:
    """The text encoder that a configuration asks for.

    Raises:
        TrainingError: if it asks for a folder that cannot be read.
    """
    return FolderText(config.text_folder, config.words) if config.text_folder else HashedText(config)
