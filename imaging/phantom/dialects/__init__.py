"""How three vendors write classic MR Image Storage, one file a vendor.

Belongs here: what differs between them. What they share is `imaging.phantom.headers`.
"""

from imaging.phantom.dialects import ge, philips, siemens
from imaging.phantom.dialects.dialect import Dialect, Wording
from imaging.phantom.study import Scanner
from imaging.phantom.vocabulary import Vendor

DIALECTS: dict[Vendor, Dialect] = {
    Vendor.SIEMENS: siemens.DIALECT,
    Vendor.GE: ge.DIALECT,
    Vendor.PHILIPS: philips.DIALECT,
}
"""The dialect of each vendor."""

SCANNERS: dict[Vendor, tuple[Scanner, ...]] = {vendor: dialect.scanners for vendor, dialect in DIALECTS.items()}
"""The scanners of each vendor."""

__all__ = ["DIALECTS", "SCANNERS", "Dialect", "Wording"]
