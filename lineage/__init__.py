"""What happened, provably: ledger, seals, licences over time, exposures, accesses, the audit report.

Knows nothing of DICOM, torch or Dagster. What is stored where is `lake`'s business; this room says what was done, by
whom, under which terms, and proves that the record was not edited.
"""
