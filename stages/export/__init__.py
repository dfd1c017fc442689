"""What leaves the lake: a release as NIfTI and BIDS or as DICOM, with labels, card and terms."""
