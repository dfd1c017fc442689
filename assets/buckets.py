"""dagster-aws's S3 resource for the buckets that zones lie in: for assets and sensors that an installation adds.

Belongs here: one resource a zone, the same caller under the same role as Larmor itself. Importing this takes seconds,
so `assets.resources` does it only where a zone lies on S3. Larmor's own assets reach files through the lake.
"""

from typing import Any

from dagster_aws.s3 import S3Resource

from lake.settings import Settings
from lake.stores import aws


class ZoneS3Resource(S3Resource):
    """A boto3 client of S3 for the bucket of a zone, with the profile and the role that the settings name."""

    zone: str
    """Name of the zone, or `landing`."""

    def get_client(self) -> Any:
        """The client."""
        return aws.client(Settings().access(self.zone))
