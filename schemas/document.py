"""Documents that people write: YAML files read into validated models, with errors that a person can act on.

Belongs here: reading, validating and digesting a document. What the documents say is in their own modules.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class DocumentError(ValueError):
    """A document is missing or does not say what it must; the message names file, field and remedy, no values."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space, the same bytes for the same value.

    Floats are refused so that the text is canonical in the sense of RFC 8785 for strings, integers, booleans, null,
    lists and objects.

    Raises:
        TypeError: if the value holds a float or a type JSON does not know.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("found a float, needed an integer or a string: floats have no canonical JSON text here")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def read_yaml(path: Path, needed: str) -> Any:
    """What a YAML file holds.

    Raises:
        DocumentError: as `of_yaml`.
    """
    return of_yaml(path.read_bytes(), path.name, needed)


def of_yaml(data: bytes, name: str, needed: str) -> Any:
    """What YAML holds, read by the safe loader in C where PyYAML has it: twenty times as fast for a policy.

    Args:
        data: the YAML.
        name: what errors call it.
        needed: what it should be, in words.

    Raises:
        DocumentError: if it is no YAML in UTF-8; the message says in which line, not what stands there.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(data.decode("utf-8"), Loader=loader)  # noqa: S506 - a safe one
    except UnicodeDecodeError:
        raise DocumentError(f"{name}: found no valid YAML, needed {needed}; save it in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise DocumentError(
            f"{name}: found no valid YAML{where}, needed {needed}; correct quotes, brackets or indentation there"
        ) from None


class Document(BaseModel):
    """A validated document; unknown fields are errors, so that a misspelt restriction never goes unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The document at `path`.

        Raises:
            DocumentError: if there is no such file, it is not YAML, or a field is missing or wrong.
        """
        if not path.is_file():
            raise cls.absent(path.name, str(path.parent))
        return cls.of(path.read_bytes(), path.name)

    @classmethod
    def of(cls, data: bytes, name: str) -> Self:
        """The document in these bytes; `name` is what errors call it.

        Raises:
            DocumentError: if they are not YAML, or a field is missing or wrong.
        """
        return cls.parse(of_yaml(data, name, cls._needed()), name)

    @classmethod
    def absent(cls, name: str, where: str) -> DocumentError:
        """The error that there is no such document."""
        return DocumentError(
            f"found no file {name} in {where}, needed {cls._needed()}; write one, docs/examples and docs/reference "
            "show how"
        )

    @classmethod
    def _needed(cls) -> str:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words} document"

    @classmethod
    def parse(cls, content: Any, name: str) -> Self:
        """The document with this content; `name` is what errors call it.

        Raises:
            DocumentError: if a field is missing or wrong.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            found = (
                f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg'].removeprefix('Value error, ')}"
                for each in error.errors(include_url=False, include_input=False)
            )
            raise DocumentError(
                f"{name}: {'; '.join(found)}; see docs/reference for the fields of this document"
            ) from None

    def write(self, path: Path) -> None:
        """Write the document as YAML."""
        path.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """The document as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the content as JSON with sorted keys, so that layout and comments of the YAML do not count."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()
