"""A release as Croissant metadata (MLCommons, version 1.1): JSON-LD that data-set catalogues and loaders read.

Belongs here: from a release to the document. It describes the list of members, one record a volume, with its digest;
voxels stay in the lake, and are reached through it. Fields of the RAI vocabulary say how the data came to be, what is
sensitive in them, and what they cannot speak for.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from lake.releases import MEMBERS, Member, Release
from schemas.agreement import AnyDocument
from schemas.tables import LABELS, VOLUMES

VERSION = "http://mlcommons.org/croissant/1.1"

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The JSON-LD context that version 1.1 of the format prescribes."""

_MEMBERS_ID = "members.parquet"

_MEANING = {
    "split": "train, validation or test; test is sealed and opened by an evaluation only",
    "pixel_digest": "Keyed digest of the voxels",
}


def document(release: Release, terms: Sequence[AnyDocument], size: int, gaps: Sequence[str] = ()) -> bytes:
    """The document, canonical: the same bytes for the same release.

    Args:
        release: the release.
        terms: the documents of its licences, in the wording that it was frozen under.
        size: bytes of its list of members.
        gaps: what it cannot speak for (`lineage.evidence.strata.gaps`).
    """
    manifest = release.manifest
    volumes = sum(counts.get("volumes", 0) for counts in manifest.counts.values())
    subjects = sum(counts.get("subjects", 0) for counts in manifest.counts.values())
    licensors = sorted({term.licensor for term in terms})
    said = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": manifest.name,
        "description": f"{volumes} MR volumes of {subjects} subjects, de-identified, frozen for "
        f"{manifest.spec.purpose}; cohort: {manifest.spec.cohort}",
        "url": f"urn:sha256:{release.sha256}",
        "version": "1.0.0",
        "datePublished": manifest.created[:10],
        "license": [f"{name} (SHA-256 {digest})" for name, digest in sorted(manifest.licences.items())],
        "creator": [{"@type": "sc:Organization", "name": name} for name in licensors],
        "citeAs": f"Release {manifest.name}, manifest SHA-256 {release.sha256}",
        "isLiveDataset": False,
        "rai:dataPreprocessingProtocol": "De-identified under the policies with SHA-256 "
        f"{', '.join(manifest.policies)}; volumes at native resolution, nothing interpolated",
        "rai:personalSensitiveInformation": "Health data of persons under pseudonyms; sex and age band where stated; "
        "no direct identifier",
        "rai:dataLimitations": list(gaps) or ["none found by the strata of the data card"],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _MEMBERS_ID,
                "name": _MEMBERS_ID,
                "description": "Every volume of the release with its split",
                "contentUrl": MEMBERS,
                "contentSize": f"{size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": manifest.members_sha256,
            }
        ],
        "recordSet": [_records([field.name for field in fields(Member)])],
    }
    return json.dumps(said, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _records(columns: Sequence[str]) -> dict[str, Any]:
    meanings = {c.name: c.meaning for table in (LABELS, VOLUMES) for c in table.columns} | _MEANING
    return {
        "@type": "cr:RecordSet",
        "@id": "volumes",
        "name": "volumes",
        "description": "One record a volume",
        "key": {"@id": "volumes/volume"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"volumes/{name}",
                "name": name,
                "description": meanings.get(name, name),
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": _MEMBERS_ID}, "extract": {"column": name}},
            }
            for name in columns
        ],
    }
