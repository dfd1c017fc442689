"""A fine-tuned network as a graph that other runtimes execute: TorchScript or ONNX, where the network allows it.

Belongs here: which networks allow it, and writing the graph with what must be known to use it. A convolutional network
that sees voxels alone is one graph for every volume. The transformer resizes its kernels to each volume's voxel size
and packs the patches that hold tissue, and the residual U-Net chooses its strides by the voxel size; neither is one
graph, so neither is exported.
"""

import json
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from schemas.checkpoint import CheckpointManifest
from training.data.volume import RANGE
from training.errors import TrainingError
from training.evaluation.inference import Model
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.layers import THIN
from training.networks.restorer import Restorer

TORCHSCRIPT, ONNX = ".pt", ".onnx"

_SHAPES = ((64, 64, 32), (48, 64, 64))
"""Voxels of the image that the graph is made with, and of one that it is tried on: a graph must not know its shape."""

_TOLERANCE = 1e-4
_OPSET = 17


class _Restoring(nn.Module):
    """(1, 1, x, y, z) normalized intensities to what to add to them."""

    def __init__(self, network: Restorer) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.see(image[0, 0])[None]


def _graph(network: ConvolutionalBaseline | Restorer) -> nn.Module:
    """What sees (1, 1, x, y, z) voxels alone; whoever runs it pads them, for a graph would know how much it padded."""
    graph: nn.Module = network.network if isinstance(network, ConvolutionalBaseline) else _Restoring(network)
    return graph.cpu().eval()


def export(model: Model, manifest: CheckpointManifest, path: Path) -> Path:
    """Write a network as `.pt` (TorchScript) or `.onnx`, and beside it `<name>.json`: what it takes and gives.

    Args:
        model: a fine-tuned model.
        manifest: its manifest.
        path: the file.

    Returns:
        The file.

    Raises:
        TrainingError: if the network is not one graph, the file has another ending or is there, or ONNX is asked for
            and the package `onnx` is not installed.
    """
    network = model.network
    if not isinstance(network, ConvolutionalBaseline | Restorer):
        raise TrainingError(
            f"found network {model.config.network!r}, which fits itself to each volume's voxel size, needed dynunet or "
            "restorer for a fixed graph; copy the checkpoint's folder and use training.open instead"
        )
    writers: dict[str, Callable[[nn.Module, Path], None]] = {TORCHSCRIPT: _torchscript, ONNX: _onnx}
    if path.suffix not in writers:
        raise TrainingError(f"found another ending of the file, needed {TORCHSCRIPT} or {ONNX}")
    if path.exists():
        raise TrainingError("found a file there already, needed none; name another one")
    path.parent.mkdir(parents=True, exist_ok=True)
    writers[path.suffix](_graph(network), path)
    path.with_suffix(".json").write_text(json.dumps(_about(model, manifest, network), indent=1), encoding="utf-8")
    return path


def _torchscript(graph: nn.Module, path: Path) -> None:
    first, second = (torch.zeros(1, 1, *shape).normal_() for shape in _SHAPES)
    with torch.no_grad(), warnings.catch_warnings():
        # torch would rather have its own compiler; whoever asks for TorchScript has a runtime that wants it
        warnings.simplefilter("ignore")
        made = torch.jit.trace(graph, first)
        if not torch.allclose(made(second), graph(second), atol=_TOLERANCE):
            raise TrainingError("found a graph that knows the shape it was made with, needed one for every shape")
        made.save(str(path))


def _onnx(graph: nn.Module, path: Path) -> None:
    if find_spec("onnx") is None:
        raise TrainingError("found no package onnx, needed it to write ONNX; install it with pip install onnx")
    axes = {2: "x", 3: "y", 4: "z"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (torch.zeros(1, 1, *_SHAPES[0]),),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["image"],
            output_names=["output"],
            dynamic_axes={"image": axes, "output": axes},
        )


def _about(model: Model, manifest: CheckpointManifest, network: ConvolutionalBaseline | Restorer) -> dict[str, Any]:
    labels = model.task.answer == "labels"
    thin = THIN if isinstance(network, ConvolutionalBaseline) else 1
    return {
        "model": manifest.name,
        "weights_sha256": manifest.weights_sha256,
        "licences": dict(manifest.licences),
        "share_models": manifest.share_models,
        "input": {
            "shape": [1, 1, "x", "y", "z"],
            "multiple_of": network.STRIDE,
            "at_least": [thin * network.STRIDE, network.STRIDE, network.STRIDE],
            "axes": "RAS+",
            "window_mm": list(model.config.window_mm),
            "intensities": "(value - p1) * 2 / (p99 - p1) - 1; percentiles of the voxels above the background",
            "cut_off_at": list(RANGE),
        },
        "output": "logits of the classes" if labels else "what to add to the input",
        "classes": {str(value): name for value, name in model.classes.names.items()} if labels else {},
    }
