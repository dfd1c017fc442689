"""How an installation is set up: environment variables `LARMOR_*`, or the same names in `larmor.yaml`.

Belongs here: every setting, its meaning and its default. Secrets are named by files, never given as values, so that
they appear in no process list and no log.
"""

import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as Unparsed

from lake.errors import NotLocal
from lake.stores.aws import ORDINARY, SCHEME, Access
from schemas.document import DocumentError, read_yaml

_FILE = "larmor.yaml"
_PREFIX = "LARMOR_"

_LIKE = 0.85
"""Likeness of a variable's name to that of a setting, from which on it was meant (`difflib`): one letter of some eight
is another. Installations have variables of their own, so those that are like none are no error."""

_ADDRESSED = re.compile(r"[\x00-\x1f\x7f?%\\\ud800-\udfff]")
"""What Delta and Dagster's storage, which make addresses of paths, take for something else in the name of a folder."""


class SettingsError(ValueError):
    """A setting is not what it must be, or has another name; the message names it and the remedy, and no value."""


class EngineName(StrEnum):
    """Where the work of a stage runs."""

    LOCAL = "local"
    SPARK = "spark"


class LauncherName(StrEnum):
    """Where a training runs."""

    LOCAL = "local"
    SAGEMAKER = "sagemaker"
    SLURM = "slurm"
    KUBERNETES = "kubernetes"


class Settings(BaseSettings):
    """All settings of Larmor."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    root: Path = Field(default=Path("larmor-data"), validate_default=True)
    """Folder of the lake; zones lie below it unless set on their own."""
    restricted: Path | str | None = None
    """Folder or `s3://` URI of the restricted zone (PHI); None: `<root>/restricted`."""
    curated: Path | str | None = None
    """Folder or `s3://` URI of the curated zone; None: `<root>/curated`."""
    audit: Path | str | None = None
    """Folder or `s3://` URI of the audit zone; None: `<root>/audit`."""
    models: Path | str | None = None
    """Folder or `s3://` URI of checkpoints; None: `<root>/models`."""
    landing: Path | str | None = None
    """Folder or `s3://` URI where deliveries land (PHI); None: `<root>/landing`."""
    licences: Path | None = None
    """Folder of licence documents; None: `<root>/licences`."""
    engine: EngineName = EngineName.LOCAL
    """Where the work of a stage runs: local processes or Spark."""
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    """Processes of the local engine."""
    launcher: LauncherName = LauncherName.LOCAL
    """Where trainings run: this machine, Amazon SageMaker, Slurm or Kubernetes."""
    launching: Path | None = None
    """Document of the place where trainings run (`schemas/launching.py`); needed for every launcher but `local`."""
    policy: str = "safe_harbor"
    """De-identification policy: a name that ships, or the path of a YAML document."""
    classification_rules: Path | None = None
    """Document of classification rules that come before those that ship; None: those that ship alone."""
    principal: str | None = None
    """Who acts, for the record; None: the operating system's user. A run of Dagster that is stamped with a user acts
    for that one."""
    roles: Path | None = None
    """Document of roles (docs/how-to/terms-over-time.md); None: `<root>/roles.yaml`, and where there is none everybody
    who reaches the lake may act in every zone."""
    country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    """Country in which this installation works on data, ISO 3166-1 alpha-2; None: not said, which terms with a
    territory refuse."""
    determinations: bool = True
    """Whether releases and exports of data that rest on an expert's determination need one in force; false: the record
    of it is kept elsewhere."""
    purpose: str | None = None
    """What releases are opened for in Python, for the record; None: what the release is for."""
    vault_key_file: Path | None = None
    """File with the vault's 32-byte key; None: made once in the restricted zone."""
    seal_key_file: Path | None = None
    """File with the ledger's Ed25519 private key (PEM); None: made once in the restricted zone."""
    vault_key_secret: str | None = None
    """Secret of AWS Secrets Manager that holds the vault's key, by name or ARN; instead of the file."""
    vault_kms_key: str | None = None
    """Key of AWS KMS that wraps the vault's keys, by id, ARN or alias; instead of file and secret."""
    seal_key_secret: str | None = None
    """Secret of AWS Secrets Manager that holds the ledger's private key (PEM), by name or ARN; instead of the file."""
    staging: Path | None = None
    """Folder on fast local disk where releases are staged for training; None: read from the zone by byte ranges."""
    staging_bytes: int | None = Field(default=None, ge=1)
    """Most bytes of staged files; None: what the disk has, less 256 MiB."""
    mount_curated: Path | None = None
    """Folder where the curated zone's objects are mounted as files, as FSx for Lustre does; None: not mounted."""
    spark_master: str = "local[*]"
    """Where Spark runs: a master URL, or `sc://` and the address of a Spark Connect server."""
    spark_conf: dict[str, str] = Field(default_factory=dict)
    """More of Spark's own settings, as a mapping (JSON in the environment); they win over Larmor's. No secrets."""
    spark_jars: Path | None = None
    """Folder of the two Java archives of Delta; None: the user's cache, where they are resolved once."""
    anchor: str | None = None
    """Folder or `s3://` prefix outside the lake where each seal of the ledger is copied, several with spaces between;
    None: nowhere, so that whoever owns the lake could cut its record back to an older seal unseen."""
    mirror: str | None = None
    """Root of a copy of this lake, or a backup, that a scrub restores damaged files from; a folder or `s3://` prefix,
    several with spaces between; None: nothing is restored."""
    scrub_rounds: int = Field(default=30, ge=1)
    """Scrubs that together read every file once."""

    alert_webhook_file: Path | None = None
    """File with the URL that failed runs are posted to; the URL holds a token. None: not posted."""
    alert_mail: str | None = None
    """Mailboxes that failed runs are sent to, with commas between; None: not sent."""
    alert_mail_server: str = "localhost:25"
    """Mail server, host and port; TLS is used where it offers it."""
    alert_mail_from: str | None = None
    """Sender of those mails; None: the first mailbox."""
    alert_mail_login_file: Path | None = None
    """File with `user:password` for the mail server; None: no login."""
    ui_url: str | None = None
    """Where people open the Dagster UI, for links in messages; None: no links."""

    tiers: dict[str, Path] = Field(default_factory=dict)
    """Folders of storage tiers of local tables: storage class of the price book to folder, as a mapping (JSON in the
    environment). Zones on S3 need none; empty: files of local tables stay where they are."""
    tiering: str = "foresight"
    """Policy of storage tiers: a name that ships (foresight, by_use, by_age), or the path of a YAML document."""
    prices: Path | None = None
    """Price book of storage classes; None: the one that ships."""

    restricted_access: Access | None = None
    """How the restricted zone's bucket is reached, as a mapping (JSON in the environment) of `profile`, `role` (an ARN
    to assume) and `kms_key` (what everything put is encrypted under); None: the ordinary chain."""
    curated_access: Access | None = None
    """How the curated zone's bucket is reached; see `restricted_access`."""
    audit_access: Access | None = None
    """How the audit zone's bucket is reached; see `restricted_access`."""
    models_access: Access | None = None
    """How the bucket of checkpoints is reached; see `restricted_access`."""
    landing_access: Access | None = None
    """How the bucket where deliveries land is reached; see `restricted_access`."""

    def __init__(self, **values: Any) -> None:
        """Read them.

        Args:
            values: settings that win over the environment and the file.

        Raises:
            SettingsError: if one is not what it must be, or a name is none of a setting.
        """
        _require_known(os.environ)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError("; ".join(_told(error))) from None
        except Unparsed as error:
            name = str(error).split('"')[1]
            raise SettingsError(
                f"{_PREFIX}{name.upper()}: found a value that is no JSON, needed JSON in the environment, or a "
                f"mapping in {_FILE}"
            ) from None

    def __hash__(self) -> int:
        """Equal settings have equal roots; a mapping among the others has no hash."""
        return hash((self.root, self.restricted, self.curated, self.audit, self.models, self.landing))

    @field_validator("root", "licences", mode="before")
    @classmethod
    def _local(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError("found a URI, needed a local folder; only zones and landing may lie on S3, each by itself")
        return value

    @field_validator("restricted", "curated", "audit", "models", "landing", mode="before")
    @classmethod
    def _rooted(cls, value: object) -> object:
        """A URI of S3 as it is, without a slash behind; a folder as an absolute path."""
        text = str(value)
        if value is None or not isinstance(value, str | Path):
            return value
        if isinstance(value, str) and "://" in text:
            bucket = text.removeprefix(SCHEME).strip("/")
            if not text.startswith(SCHEME) or not bucket or bucket.startswith("."):
                raise ValueError("found a URI of another kind, needed a local folder or s3://bucket/prefix")
            return SCHEME + bucket
        return _folder(Path(value))

    @field_validator("spark_conf", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """Numbers and truth values of a YAML document in Spark's spelling."""
        if not isinstance(value, dict):
            return value
        return {name: str(each).lower() if isinstance(each, bool) else str(each) for name, each in value.items()}

    @field_validator("tiers")
    @classmethod
    def _absolute_tiers(cls, value: dict[str, Path]) -> dict[str, Path]:
        return {name: folder.expanduser().absolute() for name, folder in value.items()}

    @field_validator("staging", "mount_curated", "spark_jars")
    @classmethod
    def _absolute_folder(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("root", "licences")
    @classmethod
    def _absolute_root(cls, value: Path | None) -> Path | None:
        return None if value is None else _folder(value)

    @field_validator("classification_rules", "roles", "launching")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    def folder(self, name: str) -> Path:
        """The folder of a zone, of `landing`, or of `licences`.

        Raises:
            NotLocal: if it lies on S3; `place` and `lake.zones.Lake.location` take both.
        """
        place = self.place(name)
        if isinstance(place, str):
            raise NotLocal(f"LARMOR_{name.upper()}: found {place}, needed a local folder for this step")
        return place

    def place(self, name: str) -> Path | str:
        """The folder, or the `s3://` URI, of a zone, of `landing`, or of `licences`."""
        own: Path | str | None = getattr(self, name)
        return own or self.root / name

    def access(self, name: str) -> Access:
        """How the bucket of a zone or of `landing` is reached."""
        own: Access | None = getattr(self, f"{name}_access")
        return own or ORDINARY

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over `larmor.yaml`."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _written())


def _written() -> dict[str, Any]:
    """What `larmor.yaml` in the working directory says; nothing where there is none."""
    file = Path(_FILE)
    if not file.is_file():
        return {}
    try:
        found = read_yaml(file, "a mapping of settings")
    except DocumentError as error:
        raise SettingsError(str(error)) from None
    if not isinstance(found, dict | None):
        raise SettingsError(f"{_FILE}: found no mapping in YAML, needed a line `name: value` for each setting")
    return {str(name): value for name, value in (found or {}).items()}


def _require_known(environment: Iterable[str]) -> None:
    """Refuse a variable that is meant to be a setting and is none: a misspelt restriction must not go unseen."""
    for name in sorted(map(str.upper, environment)):
        meant = _like(name.removeprefix(_PREFIX).lower()) if name.startswith(_PREFIX) else None
        if meant:
            raise SettingsError(
                f"found the variable {name}, which is no setting, needed {_PREFIX}{meant.upper()}; correct or unset it"
            )


def _like(name: str) -> str | None:
    """The setting whose name is nearly this one; None where it is one, or like none."""
    names = Settings.model_fields
    return None if name in names else next(iter(get_close_matches(name, names, 1, _LIKE)), None)


def _told(error: ValidationError) -> Iterator[str]:
    """A line for each setting that is wrong, without its value."""
    for each in error.errors(include_url=False, include_input=False):
        name, *inside = map(str, each["loc"])
        where = ".".join([f"{_PREFIX}{name.upper()}", *inside])
        if each["type"] == "extra_forbidden" and not inside:
            meant = _like(name)
            yield f"found the name {name} in {_FILE} or among the arguments, which is no setting, needed " + (
                meant or "one of docs/reference/settings.md"
            )
        else:
            yield f"{where} (or {name} in {_FILE}): {each['msg'].removeprefix('Value error, ')}"


def _folder(path: Path) -> Path:
    found = path.expanduser().absolute()
    if _ADDRESSED.search(str(found)):
        raise ValueError(
            "found a folder with ?, %, a backslash or a control character in its path, needed one without: Delta and "
            "Dagster's storage take them for parts of an address"
        )
    return found
