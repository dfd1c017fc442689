"""What the buckets of a lake lack, if anything: whether they can be reached, written to and trusted.

Belongs here: examinations of S3, each with a remedy. Those of the installation are `orchestration.doctor`.
"""

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from lake.settings import Settings
from lake.stores import aws
from lake.stores.objects import Prefix, UnsafeStore
from lake.stores.storage import Location
from orchestration.finding import Finding
from schemas.contract import Zone

_SKEW_S, _REFUSED_S = 60.0, 900.0
"""Seconds that a clock may be off before leases and records suffer, and from which S3 refuses every request."""

_ALLOW = "let the caller list, get, put and delete objects below this prefix (s3:ListBucket, Get-, Put-, DeleteObject)"
_LANDING = "landing"
_SHREDDED = (Zone.RESTRICTED, Zone.CURATED)
"""Zones that a withdrawal deletes from: what is deleted there must be gone."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Examine each zone, and landing, that lies on S3."""
    from lake.zones import Lake

    lake = Lake(settings)
    places = {str(zone): lake.location(zone) for zone in Zone} | {_LANDING: lake.landed()}
    for name, place in places.items():
        if not place.local:
            yield from _bucket(name, Prefix(place.uri, place.access), place)


def _bucket(name: str, prefix: Prefix, place: Location) -> Iterator[Finding]:
    what, client = f"{name} zone on S3" if name != _LANDING else "landing on S3", aws.client(place.access)
    try:
        with aws.told(place.uri):
            answer = client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, MaxKeys=1)
    except (aws.StoreError, FileNotFoundError) as error:
        yield Finding(
            f"{what}, reachable", False, str(error), f"look at the bucket's name, region and policy; {_ALLOW}"
        )
        return
    yield Finding(f"{what}, reachable", True, place.uri)
    yield _clock(what, answer)
    yield from _written(what, prefix, place)
    yield _versions(name, what, client, prefix.bucket)


def _clock(what: str, answer: dict[str, Any]) -> Finding:
    """Whether this machine and the store agree on the time, by the store's own header."""
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if told is None:
        return Finding(f"{what}, clock", True, "the store does not tell its time", needed=False)
    off = abs((dt.datetime.now(dt.UTC) - parsedate_to_datetime(told)).total_seconds())
    remedy = f"set this machine's clock by NTP; S3 refuses requests that are {_REFUSED_S / 60:.0f} minutes off"
    return Finding(f"{what}, clock", off <= _SKEW_S, f"{off:.0f} s off", remedy, needed=off > _REFUSED_S)


def _written(what: str, prefix: Prefix, place: Location) -> Iterator[Finding]:
    """Whether it can be written to, keeps two writers apart, and encrypts as configured."""
    name = f".{secrets.token_hex(8)}.tmp"
    try:
        place.write_bytes(name, b"larmor doctor")
        with aws.told(place.address(name)):
            head = aws.client(place.access).head_object(Bucket=prefix.bucket, Key=f"{prefix.key}{name}")
    except aws.StoreError as error:
        yield Finding(f"{what}, writable", False, str(error), _ALLOW)
        return
    finally:
        with contextlib.suppress(aws.StoreError):  # a zone that lets nobody delete keeps the probe
            place.delete(name)
    yield Finding(f"{what}, writable", True, "yes")
    try:
        place.make()
    except UnsafeStore as error:
        yield Finding(f"{what}, two writers", False, str(error), "use a store with conditional puts")
    else:
        yield Finding(f"{what}, two writers", True, "kept apart by conditional puts")
    yield _encryption(what, place.access.kms_key, head)


def _encryption(what: str, wanted: str | None, head: dict[str, Any]) -> Finding:
    how, key = head.get("ServerSideEncryption"), head.get("SSEKMSKeyId", "")
    if wanted is None:
        return Finding(f"{what}, encryption", True, f"{how or 'none'}, as the bucket is set")
    # the store answers with the key's ARN; an alias is resolved by it
    same = how == "aws:kms" and (key == wanted or key.endswith(f"/{wanted}") or "alias/" in wanted)
    remedy = "name the key in kms_key, and let the caller use it (kms:GenerateDataKey, kms:Decrypt)"
    return Finding(
        f"{what}, encryption", same, "the configured key" if same else "another than the configured key", remedy
    )


def _versions(name: str, what: str, client: Any, bucket: str) -> Finding:
    """Whether what is deleted is gone where it must be, and stays where nothing may be lost."""
    said = f"{what}, versions"
    try:
        with aws.told(bucket):
            on = client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
            ends = on and _old_ones_end(client, bucket)
    except aws.StoreError:
        remedy = "let it (s3:GetBucketVersioning, s3:GetLifecycleConfiguration), or ask who owns the bucket"
        return Finding(said, False, "the caller may not look", remedy, needed=False)
    found = "kept, older ones end by a lifecycle rule" if ends else "kept" if on else "not kept"
    if name in _SHREDDED or name == _LANDING:
        remedy = (
            "turn versioning off, or add a lifecycle rule that ends noncurrent versions: a withdrawal deletes objects, "
            "and their older versions stay otherwise"
        )
        return Finding(said, not on or ends, found, remedy, needed=False)
    remedy = "turn versioning on: what is written there must outlast a mistake"
    return Finding(said, on or name != Zone.AUDIT, found, remedy, needed=False)


def _old_ones_end(client: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchLifecycleConfiguration":
            return False
        raise
    return any(rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule for rule in rules)
