"""Headers: a DICOM file in, a de-identified DICOM file out, element by element, with every decision on the way."""
