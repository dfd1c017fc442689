"""How an installation is set up: environment variables `LARMOR_*`, or the same names in `larmor.yaml`.

Belongs here: every setting, its meaning and its default. Secrets are named by files, never given as values, so that
they appear in no process list and no log.
"""

import os
from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)


class EngineName(StrEnum):
    """Where the work of a stage runs."""

    LOCAL = "local"
    SPARK = "spark"


class LauncherName(StrEnum):
    """Where a training runs."""

    LOCAL = "local"


class Settings(BaseSettings):
    """All settings of Larmor."""

    model_config = SettingsConfigDict(env_prefix="LARMOR_", extra="ignore", frozen=True, yaml_file="larmor.yaml")

    root: Path = Field(default=Path("larmor-data"), validate_default=True)
    """Folder of the lake; zones lie below it unless set on their own."""
    restricted: Path | None = None
    """Folder of the restricted zone (PHI); None: `<root>/restricted`."""
    curated: Path | None = None
    """Folder of the curated zone; None: `<root>/curated`."""
    audit: Path | None = None
    """Folder of the audit zone; None: `<root>/audit`."""
    models: Path | None = None
    """Folder of checkpoints; None: `<root>/models`."""
    landing: Path | None = None
    """Folder where deliveries land (PHI); None: `<root>/landing`."""
    licences: Path | None = None
    """Folder of licence documents; None: `<root>/licences`."""
    engine: EngineName = EngineName.LOCAL
    """Where the work of a stage runs: local processes or Spark."""
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    """Processes of the local engine."""
    launcher: LauncherName = LauncherName.LOCAL
    """Where trainings run."""
    policy: str = "safe_harbor"
    """De-identification policy: a name that ships, or the path of a YAML document."""
    classification_rules: Path | None = None
    """Document of classification rules that come before those that ship; None: those that ship alone."""
    principal: str | None = None
    """Who acts, for the record; None: the operating system's user."""
    vault_key_file: Path | None = None
    """File with the vault's 32-byte key; None: made once in the restricted zone."""
    seal_key_file: Path | None = None
    """File with the ledger's Ed25519 private key (PEM); None: made once in the restricted zone."""

    @field_validator("root", "restricted", "curated", "audit", "models", "landing", "licences", mode="before")
    @classmethod
    def _local(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError("found a URI, needed a local folder; object storage is not supported by this version")
        return value

    @field_validator("root", "restricted", "curated", "audit", "models", "landing", "licences", "classification_rules")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    def folder(self, name: str) -> Path:
        """The folder of a zone, of `landing`, or of `licences`."""
        own: Path | None = getattr(self, name)
        return own or self.root / name

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
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)
