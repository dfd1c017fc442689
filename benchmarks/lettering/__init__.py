"""How the net that sees lettering (`deid.pixels.lettering`) was made: drawn words, made-up images, training and export.

Belongs here: everything that made `deid/pixels/lettering.onnx`, from code alone: no image of a person and no data set
went in. Run `python -m benchmarks.lettering`; it needs `torch`, `onnx` and the fonts that `words` names.
"""
