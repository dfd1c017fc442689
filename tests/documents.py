"""Small valid structured reports and key object selections with identifiers in every kind of item.

Belongs here: content trees. What stands around them, and every other kind of object, is `tests.objects`.
"""

from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.objects import IMAGES, OTHERS, ROOT, Identity, begun, code, evidence, nested_junk, references

FINDING = "Enlarged ventricles without signs of acute infarction."


def item(relation: str, kind: str, concept: Dataset | None = None, **values: object) -> Dataset:
    """A content item."""
    ds = Dataset()
    if relation:
        ds.RelationshipType = relation
    ds.ValueType = kind
    if concept is not None:
        ds.ConceptNameCodeSequence = Sequence([concept])
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def dcm(value: str, meaning: str) -> Dataset:
    """A concept of the DICOM terminology."""
    return code(value, "DCM", meaning)


def observers(who: Identity) -> list[Dataset]:
    """Who observed, with what, and whom: persons, devices, ids and dates."""
    context = "HAS OBS CONTEXT"
    return [
        item(context, "CODE", dcm("121005", "Observer Type"), ConceptCodeSequence=Sequence([dcm("121006", "Person")])),
        item(context, "PNAME", dcm("121008", "Person Observer Name"), PersonName=who.clinician),
        item(context, "TEXT", dcm("121009", "Person Observer's Organization Name"), TextValue=who.institution),
        item(context, "UIDREF", dcm("121012", "Device Observer UID"), UID=f"{ROOT}.9.1"),
        item(context, "TEXT", dcm("121013", "Device Observer Name"), TextValue=who.station),
        item(context, "TEXT", dcm("121016", "Device Observer Serial Number"), TextValue=who.serial),
        item(context, "PNAME", dcm("121029", "Subject Name"), PersonName=who.name),
        item(context, "TEXT", dcm("121030", "Subject ID"), TextValue=who.patient_id),
        item(context, "DATE", dcm("121031", "Subject Birth Date"), Date=who.birth_date),
        item(context, "NUM", dcm("121033", "Subject Age"), MeasuredValueSequence=measured("92", "a", "year")),
        item(context, "UIDREF", dcm("121018", "Procedure Study Instance UID"), UID=who.study_uid),
        item(context, "DATETIME", dcm("122128", "DateTime of observation"), DateTime="20230613103000"),
    ]


def measured(number: str, unit: str, meaning: str) -> Sequence:
    """A measured value with its unit."""
    value = Dataset()
    value.MeasurementUnitsCodeSequence, value.NumericValue = Sequence([code(unit, "UCUM", meaning)]), number
    return Sequence([value])


def _image_item(who: Identity, relation: str) -> Dataset:
    return item(relation, "IMAGE", ReferencedSOPSequence=references(("4", who.image_uid)))


def findings(who: Identity, where: bool) -> Dataset:
    """A section with text, a private concept, a number, an image and, where asked, coordinates."""
    volume = item(
        "CONTAINS", "NUM", code("118565006", "SCT", "Volume"), MeasuredValueSequence=measured("12.5", "cm3", "cubic cm")
    )
    text = f"{FINDING} Discussed with Dr. {who.clinician.split('^')[0]} on 13 June 2023, call {who.phone}."
    own = item("CONTAINS", "CODE", code("OWN", "99ACME", who.unlisted))
    own.ConceptCodeSequence = Sequence([code("1", "99ACME", f"seen at {who.institution}")])
    section = item("CONTAINS", "CONTAINER", dcm("121070", "Findings"), ContinuityOfContent="SEPARATE")
    section.ContentSequence = Sequence(
        [
            nested_junk(item("CONTAINS", "TEXT", dcm("121071", "Finding"), TextValue=text), who),
            own,
            volume,
            _image_item(who, "CONTAINS"),
        ]
    )
    if where:
        point = item("INFERRED FROM", "SCOORD", dcm("111030", "Image Region"), GraphicType="POINT")
        point.GraphicData = [3.0, 4.0]
        point.ContentSequence = Sequence([_image_item(who, "SELECTED FROM")])
        volume.ContentSequence = Sequence([point])
        moment = item("CONTAINS", "TCOORD", dcm("121071", "Finding"), TemporalRangeType="POINT")
        moment.ReferencedTimeOffsets = ["1.5"]
        moment.ContentSequence = Sequence([_image_item(who, "SELECTED FROM")])
        section.ContentSequence.append(moment)
    return section


def report(who: Identity, sop_class: str, number: int) -> Dataset:
    """A structured report about the MR image (PS3.3 A.35)."""
    ds = begun(who, sop_class, "SR", number)
    ds.CompletionFlag, ds.VerificationFlag, ds.CompletionFlagDescription = "COMPLETE", "VERIFIED", who.unlisted
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = who.clinician, who.institution
    observer.VerificationDateTime, observer.VerifyingObserverIdentificationCodeSequence = "20230614080000", Sequence([])
    ds.VerifyingObserverSequence = Sequence([observer])
    author = Dataset()
    author.ObserverType, author.PersonName, author.InstitutionName = "PSN", who.operator, who.institution
    author.PersonIdentificationCodeSequence, author.InstitutionCodeSequence = Sequence([]), Sequence([])
    ds.AuthorObserverSequence = Sequence([author])
    ds.ReferencedPerformedProcedureStepSequence, ds.PerformedProcedureCodeSequence = Sequence([]), Sequence([])
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(who)
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code("18748-4", "LN", "Diagnostic Imaging Report")])
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2000"
    ds.ContentTemplateSequence = Sequence([template])
    language = item("HAS CONCEPT MOD", "CODE", dcm("121049", "Language of Content Item and Descendants"))
    language.ConceptCodeSequence = Sequence([code("en", "RFC5646", "English")])
    content = [language, *observers(who), findings(who, where=sop_class == "88.33")]
    if sop_class == "88.11":  # a basic text report has no numbers (PS3.3 A.35.1.3.1)
        content = [i for i in content if i.ValueType != "NUM"]
        section = content[-1]
        section.ContentSequence = Sequence([i for i in section.ContentSequence if i.ValueType != "NUM"])
    ds.ContentSequence = Sequence(content)
    return ds


def key_objects(who: Identity) -> Dataset:
    """A key object selection of the MR image (PS3.3 A.35.4)."""
    ds = begun(who, "88.59", "KO", 14)
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(who)
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([dcm("113000", "Of Interest")])
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    ds.ContentTemplateSequence = Sequence([template])
    said = item("CONTAINS", "TEXT", dcm("113012", "Key Object Description"), TextValue=f"shown to {who.name}")
    ds.ContentSequence = Sequence([said, _image_item(who, "CONTAINS")])
    return ds


DOCUMENTS: dict[str, Callable[[Identity], Dataset]] = {
    "basic text report": lambda who: report(who, "88.11", 10),
    "enhanced report": lambda who: report(who, "88.22", 11),
    "comprehensive report": lambda who: report(who, "88.33", 12),
    "key objects": key_objects,
}
OBJECTS = IMAGES | OTHERS | DOCUMENTS
"""Every kind of object that may pass, by name."""
