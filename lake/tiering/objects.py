"""Tiers of a table on S3: storage classes, changed by a copy in place; restores, tags and lifecycle rules.

Belongs here: requests to S3 about storage classes. A copy in place is atomic: a reader gets the object before or after.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from lake.stores import aws
from lake.tables.table import LakeTable
from lake.tiering.stores import MoveFailed, NotYet, digest_of, expected
from schemas.prices import PriceBook, StorageClass
from schemas.tiering import Method, TieringPolicy

TAG = "larmor-tier"
"""Tag of objects that were moved, whose value is the storage class; lifecycle rules and bills go by it."""

_LARGEST_COPY = 5 * 2**30
"""Bytes that one CopyObject takes (AWS S3 user guide); part files are far smaller."""

RESTORED_DAYS = 3
"""Days that a restored copy is kept, in which the mover fetches it back for good."""

_RULES = "larmor-"
"""What ids of our lifecycle rules begin with; rules of others are left as they are."""


class Readable(StrEnum):
    """Whether an object can be read."""

    NOW = "now"
    ARCHIVED = "archived"
    RESTORING = "restoring"


class ObjectStore:
    """See `lake.tiering.stores.Store`."""

    def __init__(self, table: LakeTable) -> None:
        """Set a table; nothing is read."""
        bucket, _, key = table.location.uri.removeprefix("s3://").partition("/")
        self._bucket, self._key, self._access = bucket, key, table.location.access

    def prepare(self, path: str, source: StorageClass, target: StorageClass, sha256: str | None) -> str:
        """Read the object and hold it to its digest; the copy itself is made in its place, by the store."""
        head = self._head(path)
        if head["ContentLength"] > _LARGEST_COPY:
            raise MoveFailed(f"{path}: found an object over 5 GiB, needed a smaller one; write its delivery again")
        if target.code and head.get("StorageClass", "STANDARD") == target.code:
            return sha256 or self._digest(path)
        if (state := readable(head)) is not Readable.NOW:
            raise NotYet(f"{path}: found it {state}, needed it restored first")
        found = self._digest(path)
        expected(path, found, sha256)
        return found

    def finish(self, path: str, source: StorageClass, target: StorageClass, sha256: str) -> None:
        """Copy the object onto itself in another class, and tag it."""
        if not target.code:
            raise MoveFailed(f"found no code for the class {target.name} in the price book, needed the provider's")
        head = self._head(path)
        if head.get("StorageClass", "STANDARD") != target.code:
            self._copy(path, head, target)
        with aws.told(path):
            tags = [{"Key": TAG, "Value": target.code}]
            self._client.put_object_tagging(**self._at(path), Tagging={"TagSet": tags})

    def ask(self, path: str, source: StorageClass, way: str) -> bool:
        """Ask for a restore unless one is under way."""
        state = readable(self._head(path))
        if state is Readable.ARCHIVED:
            with aws.told(path):
                self._client.restore_object(
                    **self._at(path),
                    RestoreRequest={"Days": RESTORED_DAYS, "GlacierJobParameters": {"Tier": way}},
                )
            state = readable(self._head(path))
        return state is Readable.NOW

    def _copy(self, path: str, head: Mapping[str, Any], target: StorageClass) -> None:
        at = self._at(path)
        with aws.told(path):
            self._client.copy_object(
                **at, CopySource=at, CopySourceIfMatch=head["ETag"], StorageClass=target.code,
                MetadataDirective="COPY", TaggingDirective="COPY", **self._access.encryption,
            )  # fmt: skip
        after = self._head(path)
        if (after.get("StorageClass", "STANDARD"), after["ContentLength"]) != (target.code, head["ContentLength"]):
            raise MoveFailed(f"{path}: found another class or size after the copy, needed {target.code}; run again")

    def _digest(self, path: str) -> str:
        with aws.told(path):
            return digest_of(self._client.get_object(**self._at(path))["Body"])

    def _head(self, path: str) -> dict[str, Any]:
        with aws.told(path):
            head: dict[str, Any] = self._client.head_object(**self._at(path))
            return head

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._key}/{path}" if self._key else path}

    @property
    def _client(self) -> Any:
        return aws.client(self._access)


def readable(head: Mapping[str, Any]) -> Readable:
    """Whether an object can be read, by what HEAD says of it."""
    archived = head.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE") or bool(head.get("ArchiveStatus"))
    restore = head.get("Restore", "")
    if not archived or 'ongoing-request="false"' in restore:
        return Readable.NOW
    return Readable.RESTORING if 'ongoing-request="true"' in restore else Readable.ARCHIVED


def lifecycle_rules(policy: TieringPolicy, book: PriceBook, prefix: str) -> list[dict[str, Any]]:
    """The rules of a policy that a bucket can apply by itself: by age and size, to part files that the mover tagged.

    A lifecycle rule knows neither the last read nor the next one, moves only to colder classes and waits days; it never
    deletes here. Tags keep Delta logs, indexes and what a live version needs out of archives' reach: an object that the
    mover did not tag matches no rule.

    Args:
        policy: a policy of rules.
        book: prices, whose order of classes is the way down.
        prefix: key that all objects begin with.

    Raises:
        ValueError: if the policy has rules that look at anything but age and size, or no rule by age.
    """
    if policy.method is not Method.RULES:
        raise ValueError(f"policy {policy.name}: found foresight, needed rules by age; the mover applies this policy")
    usual = {"age_days", "at_least_bytes", "below_bytes", "tables", "need"}
    rules = []
    for rule in policy.rules:
        if extra := rule.when.model_fields_set - usual:
            raise ValueError(f"policy {policy.name}: found conditions {sorted(extra)}, needed age and size alone")
        kind = book.named(rule.tier)
        if rule.when.age_days is None or kind is book.classes[0]:
            continue
        days = max(rule.when.age_days, kind.lifecycle_after_days)
        size = max(rule.when.at_least_bytes or 0, kind.minimum_bytes)
        both = {"Prefix": prefix, "Tags": [{"Key": TAG, "Value": book.classes[0].code}]}
        rules.append(
            {
                "ID": f"{_RULES}{policy.name}-{rule.name}",
                "Status": "Enabled",
                "Filter": {"And": both | ({"ObjectSizeGreaterThan": size} if size else {})},
                "Transitions": [{"Days": days, "StorageClass": kind.code}],
            }
        )
    if not rules:
        raise ValueError(f"policy {policy.name}: found no rule by age, needed one; lifecycle rules know nothing else")
    return rules


def apply_lifecycle(client: Any, bucket: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Make these the lifecycle rules of ours in a bucket; those of others stay."""
    from botocore.exceptions import ClientError

    try:
        there = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchLifecycleConfiguration":
            raise
        there = []
    others = [rule for rule in there if not rule["ID"].startswith(_RULES)]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [*others, *rules]})
