"""Files of a zone as objects below a prefix of S3: the same promises as a folder's, kept by the store.

Belongs here: the S3 half of `lake.stores.storage`. A put is atomic by nature; exclusive creation is a conditional put
(If-None-Match), and what a lost answer leaves open is settled by a mark that each creation carries.
"""

import contextlib
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lake.stores import aws
from lake.stores.aws import Access
from lake.stores.found import Found

_MARK = "larmor-creation"
"""Metadata of an object that was created exclusively: which creation it was, so that a writer knows its own again."""

_TRIES = 30
"""Tries of a creation that met another one in progress (409); each lasts as long as one put."""

_TAKEN, _BUSY = ("PreconditionFailed", "412"), ("ConditionalRequestConflict", "409")


class UnsafeStore(aws.StoreError):
    """The store ignores conditional puts, so that two writers could both believe that they came first."""


@dataclass(frozen=True)
class Prefix:
    """A prefix; see `lake.stores.storage.Location` for what each method promises."""

    uri: str
    access: Access

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def key(self) -> str:
        """What every key here begins with: empty, or ending in a slash."""
        key = self.uri.removeprefix("s3://").partition("/")[2].strip("/")
        return f"{key}/" if key else ""

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name, or any below it."""
        try:
            self.about(name)
        except FileNotFoundError:
            with aws.told(f"{self.uri}/{name}"):
                below = self._client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.key}{name}/", MaxKeys=1)
                return bool(below.get("Contents"))
        return True

    def list(self) -> list[str]:
        """Names of objects and common prefixes here."""
        names = []
        for page in self._pages(Delimiter="/"):
            names += [item["Key"] for item in page.get("Contents", [])]
            names += [item["Prefix"].rstrip("/") for item in page.get("CommonPrefixes", [])]
        return sorted({name.removeprefix(self.key) for name in names} - {""})

    def files(self) -> Iterator[Found]:
        """Every object below; the empty ones that stand for folders are none."""
        for page in self._pages():
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield Found(item["Key"].removeprefix(self.key), item["Size"], item["LastModified"])

    def about(self, name: str) -> Found:
        """One object."""
        with aws.told(f"{self.uri}/{name}"):
            head = self._head(name)
        return Found(name, head["ContentLength"], head["LastModified"])

    def read(self, name: str) -> bytes:
        """Content of an object."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        with aws.told(f"{self.uri}/{name}"):
            for attempt in range(aws.ATTEMPTS):
                answer = self._client.get_object(**self._at(name))
                try:
                    return bytes(answer["Body"].read())
                except (HTTPError, BotoCoreError):  # the answer broke off: botocore tries requests again, not bodies
                    _pause(attempt)
        raise aws.StoreError(f"{self.uri}/{name}: found an answer that broke off {aws.ATTEMPTS} times; run again")

    def put(self, name: str, data: bytes, *, settled: bool = True) -> None:
        """Put an object; it is settled once the store answers."""
        with aws.told(f"{self.uri}/{name}"):
            self._client.put_object(**self._at(name), Body=data, **self.access.encryption)

    def create(self, name: str, data: bytes) -> None:
        """Put an object, if there is none of this name."""
        self.make()
        if not self.created(name, data):
            raise FileExistsError(f"{self.uri}/{name}: found it made by another writer")

    def upload(self, name: str, source: Path) -> None:
        """Put a file, in several parts where it is large; it appears when all are there."""
        with source.open("rb") as file:
            self.stream(name, file)

    def stream(self, name: str, file: Any) -> None:
        """Put what a file object gives, in several parts where it is large; it appears when all are there."""
        from boto3.exceptions import S3UploadFailedError

        try:
            with aws.told(f"{self.uri}/{name}"):
                self._client.upload_fileobj(
                    file, self.bucket, f"{self.key}{name}", ExtraArgs=self.access.encryption or None
                )
        except S3UploadFailedError as error:
            raise aws.translated(aws.StoreError(str(error)), f"{self.uri}/{name}") from None

    def download(self, name: str, target: Path) -> None:
        """Get an object into a file."""
        with aws.told(f"{self.uri}/{name}"):
            self._client.download_file(self.bucket, f"{self.key}{name}", str(target))

    def delete(self, name: str) -> None:
        """Delete an object."""
        with aws.told(f"{self.uri}/{name}"):
            self._client.delete_object(**self._at(name))

    def make(self) -> None:
        """See once a process that the store keeps exclusive creations apart.

        Raises:
            UnsafeStore: if it does not.
        """
        if not _is_exclusive(_Probe(self.bucket, self.access, aws.endpoint(), self)):
            raise UnsafeStore(
                f"bucket {self.bucket}: found a store that ignores conditional puts (If-None-Match), needed one that "
                "keeps them, or two writers at once would lose commits; use AWS S3, or a store that has them"
            )

    def _head(self, name: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            head: dict[str, Any] = self._client.head_object(**self._at(name))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "400":
                # the answer to HEAD has no body that could say why: a list says it
                self._client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.key}{name}", MaxKeys=1)
            raise
        return head

    @property
    def _client(self) -> Any:
        return aws.client(self.access)

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.key}{name}"}

    def _pages(self, **more: str) -> Iterator[dict[str, Any]]:
        with aws.told(self.uri):
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.key, **more
            )

    def created(self, name: str, data: bytes) -> bool:
        """Create an object; False if another writer has."""
        from botocore.exceptions import ClientError

        mark = uuid.uuid4().hex
        with aws.told(f"{self.uri}/{name}"):
            for attempt in range(_TRIES):
                try:
                    self._client.put_object(
                        **self._at(name), Body=data, IfNoneMatch="*", Metadata={_MARK: mark}, **self.access.encryption
                    )
                except ClientError as error:
                    code = error.response.get("Error", {}).get("Code")
                    if code in _TAKEN:
                        # the answer to our own put may have been lost, and the put tried again
                        return self._mark(name) == mark
                    if code not in _BUSY:
                        raise
                    _pause(attempt)
                else:
                    return True
        raise aws.StoreError(f"{self.uri}/{name}: found {_TRIES} creations by others in a row; try again")

    def _mark(self, name: str) -> str | None:
        try:
            with aws.told(name):
                head = self._head(name)
        except FileNotFoundError:
            return None  # it was another's, who has deleted it since
        found: str | None = head.get("Metadata", {}).get(_MARK)
        return found


@dataclass(frozen=True)
class _Probe:
    """One question to a store, asked once a process: buckets differ, prefixes of one do not."""

    bucket: str
    access: Access
    endpoint: str | None
    prefix: Prefix = field(compare=False)


@lru_cache(None)
def _is_exclusive(probe: _Probe) -> bool:
    prefix, name = probe.prefix, f".{uuid.uuid4().hex[:16]}.tmp"
    try:
        return prefix.created(name, b"first") and not prefix.created(name, b"second")
    except aws.StoreError as error:
        if "NotImplemented" in str(error):
            return False
        raise
    finally:
        # a zone that lets nobody delete keeps the probe, which bears the name of a left-over
        with contextlib.suppress(aws.AccessRefused):
            prefix.delete(name)


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(5.0, 0.05 * 2**attempt)))  # noqa: S311  # spreads writers, no secret
