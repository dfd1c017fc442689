"""The way to S3, and to stores that speak its protocol: who asks, under which key, and what an answer means.

Belongs here: credentials, clients and their settings for each library that reaches a bucket, so that all of them are
the same caller under the same key. What is put and got is `lake.stores.objects`' and `lake.voxels.sources`' business.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import ConfigDict

SCHEME = "s3://"

ATTEMPTS = 8
"""Tries of a request that was throttled, failed in the store or lost; the pauses grow from under 1 to 20 seconds."""

_CONNECT_S, _READ_S = 10, 60
"""Seconds without an answer from which a request counts as lost; S3 itself answers in milliseconds."""

_KEPT_CLIENTS = 32
"""Clients kept a process: one for each zone and its access, and for what came before credentials changed."""

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_UNKNOWN = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "UnrecognizedClientException")
_DENIED = ("AccessDenied", "Forbidden", "403", "AllAccessDisabled", "KMS.DisabledException")
_ABSENT = ("NoSuchKey", "NotFound", "404")

_REMEDY = (
    "renew them (aws sso login, a new AWS_SESSION_TOKEN, or the instance's role) and run again: nothing was lost, what "
    "was committed stays"
)


class StoreError(OSError):
    """The store did not do what was asked, after all tries; the message says what it answered."""


class CredentialsRefused(StoreError):
    """The store does not accept the credentials: none, expired, or unknown to it."""


class AccessRefused(StoreError, PermissionError):
    """The store knows the caller, who may not do this."""


@dataclass(frozen=True)
class Access:
    """How a zone's bucket is reached.

    Attributes:
        profile: profile of the AWS configuration files; None: the ordinary chain of credentials.
        role: ARN of a role to assume with them; None: as they are.
        kms_key: id or ARN of the KMS key that everything put is encrypted under; None: as the bucket is set.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    profile: str | None = None
    role: str | None = None
    kms_key: str | None = None

    @property
    def encryption(self) -> dict[str, str]:
        """What each put must ask for."""
        if self.kms_key is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}


ORDINARY = Access()
"""The ordinary chain of credentials, and encryption as the bucket is set."""


@dataclass(frozen=True)
class _Caller:
    """All that makes one client differ from another; a forked process must not share its parent's connections."""

    access: Access
    endpoint: str | None
    region: str | None
    identity: tuple[str | None, ...]
    process: int


def endpoint() -> str | None:
    """Address of a store other than AWS's own; None: that."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def region() -> str | None:
    """Region by the environment; None: as the profile says."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def client(access: Access) -> Any:
    """A boto3 client of S3, kept for the next call; several threads may share it."""
    return _client(_caller(access))


def delta_options(access: Access) -> dict[str, str]:
    """What deltalake must be told: the same caller, place and key; commits by conditional put are its default."""
    options = _known_place(access) | {name: value for name, value in _keys(access).items() if value}
    if address := endpoint():
        options |= {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": str(address.startswith("http://")).lower()}
    if access.kms_key is not None:
        options |= {"aws_server_side_encryption": "aws:kms", "aws_sse_kms_key_id": access.kms_key}
    return options


def filesystem(access: Access) -> Any:
    """Arrow's file system for reading, kept for the next call until the credentials are others."""
    return _filesystem(_caller(access), tuple(sorted(_keys(access).items())))


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what boto3 raises into errors that say what was found and what to do.

    Args:
        what: the object or prefix that was asked for; a name of this project's, never content.

    Raises:
        FileNotFoundError: if there is no such object.
        CredentialsRefused: if credentials are missing, expired or unknown.
        AccessRefused: if the caller may not do this.
        StoreError: for whatever else the store answered after all tries.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise _no_credentials() from None
    except ClientError as error:
        raise _refusal(error.response.get("Error", {}).get("Code", "unknown"), what) from None
    except BotoCoreError as error:
        raise _refusal(type(error).__name__, what) from None


def translated(error: Exception, what: str) -> Exception:
    """The error of another library (deltalake, Arrow) in the same words; itself where it is about other things."""
    text = str(error)
    code = next((code for code in (*_EXPIRED, *_UNKNOWN) if code in text), None)
    if code is None and "AccessDenied" in text:
        code = "AccessDenied"
    return _refusal(code, what) if code else error


def _refusal(code: str, what: str) -> OSError:
    if code in _EXPIRED:
        return CredentialsRefused(f"{what}: found expired AWS credentials, needed valid ones; {_REMEDY}")
    if code in _UNKNOWN or code in ("UnauthorizedSSOTokenError", "SSOTokenLoadError", "ProfileNotFound"):
        return CredentialsRefused(f"{what}: found AWS credentials that the store does not know ({code}); {_REMEDY}")
    if code in _ABSENT:
        return FileNotFoundError(f"{what}: found no such object in the store")
    if code in _DENIED:
        return AccessRefused(
            f"{what}: found no permission ({code}), needed the actions that docs/how-to/move-to-s3.md lists for this "
            "zone; ask whoever keeps the bucket's and the key's policies"
        )
    return StoreError(f"{what}: the store answered {code} after {ATTEMPTS} tries; look at its state and run again")


def _no_credentials() -> CredentialsRefused:
    return CredentialsRefused(
        "found no AWS credentials, needed some of the ordinary chain: environment, profile, or the machine's role; "
        "see docs/how-to/move-to-s3.md"
    )


def _caller(access: Access) -> _Caller:
    # credentials that were changed in the environment are another caller
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    return _Caller(access, endpoint(), region(), tuple(os.environ.get(name) for name in names), os.getpid())


@lru_cache(_KEPT_CLIENTS)
def _session(caller: _Caller) -> Any:
    import boto3

    with told(f"profile {caller.access.profile}"):
        session = boto3.Session(profile_name=caller.access.profile, region_name=caller.region)
    return session if caller.access.role is None else _assumed(session, caller.access.role)


def _assumed(session: Any, role: str) -> Any:
    """A session that is the role, and assumes it again before it runs out."""
    import boto3
    import botocore.session
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    def assume(service: str, **more: Any) -> Any:
        # the fetcher passes the keys of the source; region and endpoint are the session's
        return boto3.client(service, region_name=session.region_name, endpoint_url=_token_endpoint(), **more)

    fetcher = AssumeRoleCredentialFetcher(
        assume, session.get_credentials(), role, extra_args={"RoleSessionName": "larmor"}
    )

    class _Role(CredentialProvider):  # type: ignore[misc]  # botocore ships no types
        METHOD = "assume-role"

        def load(self) -> Any:
            return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    inner = botocore.session.get_session()
    inner.register_component("credential_provider", CredentialResolver([_Role()]))
    return boto3.Session(botocore_session=inner, region_name=session.region_name)


def _token_endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")


@lru_cache(_KEPT_CLIENTS)
def _client(caller: _Caller) -> Any:
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=32,
        # buckets of other stores are no names of hosts
        s3={"addressing_style": "path"} if caller.endpoint else None,
    )
    return _session(caller).client("s3", endpoint_url=caller.endpoint, config=config)


@lru_cache(_KEPT_CLIENTS)
def _filesystem(caller: _Caller, keys: tuple[tuple[str, str | None], ...]) -> Any:
    from pyarrow import fs

    address, given = urlsplit(caller.endpoint or ""), dict(keys)
    reached = {"endpoint_override": address.netloc, "scheme": address.scheme} if address.netloc else {}
    return fs.S3FileSystem(
        access_key=given.get("AWS_ACCESS_KEY_ID"),
        secret_key=given.get("AWS_SECRET_ACCESS_KEY"),
        session_token=given.get("AWS_SESSION_TOKEN"),
        region=_session(caller).region_name,
        connect_timeout=_CONNECT_S,
        request_timeout=_READ_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **reached,
    )


def _keys(access: Access) -> dict[str, str | None]:
    """The keys of now; boto3 renews those that run out."""
    with told("AWS credentials"):
        found = _session(_caller(access)).get_credentials()
        if found is None:
            raise _no_credentials()
        keys = found.get_frozen_credentials()
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
    }


def _known_place(access: Access) -> dict[str, str]:
    found = _session(_caller(access)).region_name
    return {"AWS_REGION": found} if found else {}
