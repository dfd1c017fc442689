"""The report of a study: prose as radiologists dictate it, with everything in it that identifies.

Belongs here: the text. Which findings are true is decided by the body (`imaging.phantom.anatomy`).
"""

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.lesion import Lesion
from imaging.phantom.study import Study
from imaging.phantom.vocabulary import BodyPart, Contrast

WHERE = "report text"
"""Carrier of what a report says, in the answer key."""

WIDE = 1.35
"""Size of the ventricles, relative to a young adult's, from which on a report mentions it."""

_TECHNIQUE = {
    Contrast.T1: "T1-weighted",
    Contrast.T2: "T2-weighted",
    Contrast.PD: "proton density-weighted",
    Contrast.FLAIR: "FLAIR",
    Contrast.DWI: "diffusion-weighted",
}


def report(study: Study, plant: Planter) -> str:
    """The report of a study, its findings those of the phantom's truth."""
    findings, impression = _findings(study)
    region = "brain" if study.body.part is BodyPart.HEAD else f"{_side(study)} knee"
    sequences = ", ".join(f"{scan.plane} {_TECHNIQUE[scan.contrast]}" for scan in study.scans)
    return "\n".join(
        (
            _letterhead(study, plant),
            "",
            f"EXAMINATION: MRI of the {region} without contrast",
            f"CLINICAL INFORMATION: {_history(study, plant)}",
            f"TECHNIQUE: {sequences[0].upper()}{sequences[1:]} images were obtained at {study.scanner.field_t:g} T.",
            f"FINDINGS: {findings}",
            f"IMPRESSION: {impression}",
            "",
            _signature(study, plant),
            "",
        )
    )


def _letterhead(study: Study, plant: Planter) -> str:
    who, met = study.person, study.encounter
    say = plant.text
    return "\n".join(
        (
            f"{say(Kind.INSTITUTION, met.institution, WHERE)}, {say(Kind.INSTITUTION, met.department, WHERE)}",
            say(Kind.ADDRESS, met.institution_address, WHERE),
            "",
            f"Patient: {say(Kind.NAME, f'{who.given} {who.family}', WHERE)}",
            f"MRN: {say(Kind.ID, who.mrn, WHERE)}   Accession: {say(Kind.ID, met.accession, WHERE)}",
            f"Date of birth: {say(Kind.DATE, f'{who.born:%m/%d/%Y}', WHERE)}",
            f"Date of examination: {say(Kind.DATE, f'{met.date:%Y-%m-%d}', WHERE)}",
            f"Address: {say(Kind.ADDRESS, who.street, WHERE)}, {say(Kind.ADDRESS, who.city, WHERE)}",
            f"Phone: {say(Kind.PHONE, who.phone, WHERE)}",
        )
    )


def _history(study: Study, plant: Planter) -> str:
    who, met = study.person, study.encounter
    family = plant.text(Kind.NAME, who.family, WHERE)
    referrer = plant.text(Kind.CLINICIAN, met.referring.split("^")[0], WHERE)
    title, age = "Mr." if who.sex == "M" else "Ms.", plant.age(met.age, f"{met.age}-year-old", WHERE)
    complaint = "headache and dizziness" if study.body.part is BodyPart.HEAD else "pain after exercise"
    return (
        f"{age} {'man' if who.sex == 'M' else 'woman'} with {complaint}. {title} {family} was sent by Dr. {referrer}."
    )


def _findings(study: Study) -> tuple[str, str]:
    if study.body.part is BodyPart.KNEE:
        return _knee(study)
    wide = getattr(study.body.shape, "ventricles", 1.0) > WIDE
    spaces = "The ventricles are mildly enlarged in keeping with age." if wide else "The ventricles are of normal size."
    common = f"{spaces} The midline is not shifted. The visible orbits and paranasal sinuses are unremarkable."
    if not study.body.lesions:
        return (
            f"No focal signal abnormality of the brain parenchyma. No restricted diffusion. {common}",
            "No acute intracranial abnormality.",
        )
    lesion = study.body.lesions[0]
    return (
        (
            f"There is a focal lesion in the {lesion.site} measuring about {lesion.size_mm} mm, hyperintense on T2 and "
            f"FLAIR and hypointense on T1, with facilitated diffusion. {common}"
        ),
        f"Focal lesion in the {lesion.site}, {lesion.size_mm} mm; follow-up is recommended.",
    )


def _knee(study: Study) -> tuple[str, str]:
    common = "The menisci, cruciate and collateral ligaments are intact."
    if not study.body.lesions:
        return (f"{common} No marrow signal abnormality. No joint effusion.", "Normal knee.")
    lesion: Lesion = study.body.lesions[0]
    return (
        (
            f"{common} There is a focal marrow lesion in the {lesion.site} measuring about {lesion.size_mm} mm, "
            "hyperintense on T2. Small joint effusion."
        ),
        f"Marrow lesion in the {lesion.site}, {lesion.size_mm} mm.",
    )


def _side(study: Study) -> str:
    return "right" if study.body.side == "R" else "left"


def _signature(study: Study, plant: Planter) -> str:
    met = study.encounter
    family, given = met.reader.split("^")[:2]
    reader = plant.text(Kind.CLINICIAN, f"{given} {family}", WHERE)
    day = plant.text(Kind.DATE, f"{met.date:%B} {met.date.day}, {met.date.year}", WHERE)
    phone = plant.text(Kind.PHONE, study.person.phone, WHERE)
    return (
        f"Electronically signed by {reader}, MD, on {day}. Results were discussed with the patient by phone ({phone})."
    )
