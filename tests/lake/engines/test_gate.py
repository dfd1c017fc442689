"""Tables that one engine cannot read or write are refused at open, with the name of what makes them so."""

import json

import pytest

from lake.errors import TableMissing
from lake.tables.protocol import FEATURES, PROPERTIES, TableUnshared, opened
from schemas.tables import QUARANTINE

SCHEMA = json.dumps({"type": "struct", "fields": [{"name": "a", "type": "long", "nullable": True, "metadata": {}}]})
ONLY_WRITERS = {
    "identityColumns", "generatedColumns", "allowColumnDefaults", "rowTracking", "inCommitTimestamp", "domainMetadata",
    "clustering", "checkpointProtection", "icebergCompatV1", "icebergCompatV2", *FEATURES,
}  # fmt: skip


def made(lake, protocol, configuration=None):
    """A table whose log states a protocol."""
    log = lake.table(QUARANTINE).location.join("_delta_log")
    metadata = {
        "id": "0", "format": {"provider": "parquet", "options": {}}, "schemaString": SCHEMA, "partitionColumns": [],
        "configuration": configuration or {}, "createdTime": 0,
    }  # fmt: skip
    actions = [{"protocol": protocol}, {"metaData": metadata}]
    log.write_bytes(f"{0:020}.json", "\n".join(json.dumps(action) for action in actions).encode())
    return lake.table(QUARANTINE)


@pytest.mark.parametrize("feature", sorted(PROPERTIES))
def test_a_feature_outside_the_shared_set_is_refused_by_the_name_of_its_property(lake, feature):
    readers = [] if feature in ONLY_WRITERS else [feature]
    protocol = {"minReaderVersion": 3 if readers else 1, "minWriterVersion": 7, "writerFeatures": [feature]}
    table = made(lake, protocol | ({"readerFeatures": readers} if readers else {}))
    with pytest.raises(TableUnshared, match="found the property") as told:
        opened(table.location, QUARANTINE.path)
    assert PROPERTIES[feature] in str(told.value)
    with pytest.raises(TableUnshared):
        table.read()


def test_column_mapping_by_version_is_refused(lake):
    table = made(lake, {"minReaderVersion": 2, "minWriterVersion": 5}, {"delta.columnMapping.mode": "name"})
    with pytest.raises(TableUnshared, match=r"delta\.columnMapping\.mode"):
        opened(table.location, QUARANTINE.path)


@pytest.mark.parametrize(("reader", "writer", "features"), [(1, 2, None), (1, 4, None), (1, 7, sorted(FEATURES))])
def test_the_shared_set_is_opened(lake, reader, writer, features):
    protocol = {"minReaderVersion": reader, "minWriterVersion": writer}
    table = made(lake, protocol | ({"writerFeatures": features} if features else {}))
    assert opened(table.location, QUARANTINE.path).version() == 0


def test_a_table_of_our_own_is_in_the_shared_set(lake):
    table = lake.table(QUARANTINE)
    with pytest.raises(TableMissing):
        opened(table.location, QUARANTINE.path)
    table.append([])
    configuration = opened(table.location, QUARANTINE.path).metadata().configuration
    assert configuration["delta.enableChangeDataFeed"] == "true"


@pytest.mark.spark
@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ("'delta.enableDeletionVectors' = 'true'", "delta.enableDeletionVectors"),
        ("'delta.columnMapping.mode' = 'name'", "delta.columnMapping.mode"),
        ("'delta.enableTypeWidening' = 'true'", "delta.enableTypeWidening"),
        ("'delta.enableRowTracking' = 'true'", "delta.enableRowTracking"),
    ],
)
def test_tables_that_spark_made_with_them_are_refused(lake, spark_engine, properties, named):
    table = lake.table(QUARANTINE)
    spark_engine.spark.sql(
        f"CREATE TABLE delta.`{table.location.uri}` (a BIGINT) USING delta TBLPROPERTIES ({properties})"
    )
    with pytest.raises(TableUnshared) as told:
        table.read(["path"])
    assert named in str(told.value)
