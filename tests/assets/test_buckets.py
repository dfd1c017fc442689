"""Where zones lie on S3, assets of an installation get dagster-aws's resource, with Larmor's own caller."""

import dagster as dg
import pytest

from orchestration.definitions import build
from tests.s3 import STORE


def test_without_s3_there_is_no_such_resource_and_nothing_of_aws_is_imported():
    import subprocess
    import sys

    code = (
        "import sys; from orchestration.definitions import build; found = build();"
        "assert set(found.resources) == {'lake', 'launcher'}, found.resources; assert 'dagster_aws' not in sys.modules"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


@pytest.mark.s3
def test_each_zone_on_s3_has_a_client_of_its_bucket(bucket, monkeypatch):
    monkeypatch.setenv("LARMOR_CURATED", "s3://lake/curated")
    monkeypatch.setenv("LARMOR_LANDING", "s3://lake/landing")
    bucket.put_object(Bucket="lake", Key="curated/x", Body=b"1")
    found = build().resources
    assert set(found) == {"lake", "launcher", "s3_curated", "s3_landing"}
    seen = []

    @dg.asset
    def own(s3_curated: dg.ResourceParam):
        client = s3_curated.get_client()
        seen.extend(item["Key"] for item in client.list_objects_v2(Bucket="lake")["Contents"])
        seen.append(client.meta.region_name)

    assert dg.materialize([own], resources=found).success
    assert seen == ["curated/x", STORE["AWS_REGION"]]
