"""From the bytes of DICOM files to what each frame states: elements, vendors' dialects, enhanced frames, mosaics."""
