"""Phantoms: deliveries of invented subjects in classic MR DICOM, with everything a licensor's delivery has, and more.

Belongs here: making test and demonstration data whose truth is known. Does not belong here: reading DICOM. No person's
data went into any of it; anatomy is analytic, names are made of syllables nobody uses.
"""

from imaging.phantom.config import Part, PhantomConfig, PhantomSummary
from imaging.phantom.delivery import generate
from imaging.phantom.demo import demo_configs, demo_deliveries
from imaging.phantom.vocabulary import LABEL_SCHEME, BodyPart, Contrast, Label, Plane, Vendor

__all__ = [
    "LABEL_SCHEME",
    "BodyPart",
    "Contrast",
    "Label",
    "Part",
    "PhantomConfig",
    "PhantomSummary",
    "Plane",
    "Vendor",
    "demo_configs",
    "demo_deliveries",
    "generate",
]
