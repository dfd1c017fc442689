"""What may leave: headers, text and pseudonyms, by a policy that is an allow-list, with every decision recorded.

Belongs here: judging values of DICOM files and reports. Does not belong here: tables and partitions (`lake`, `stages`),
what an image means (`imaging`), or anything of Dagster.
"""
