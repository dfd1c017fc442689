"""Useful tokens a second of the packed encoder, beside MONAI's ViT on the same volumes in cubes; on a GPU, also MFU.

A token is useful if it shows tissue of a volume at its own resolution: 16 mm an edge, counted in each volume's own
voxel grid. Every way of feeding the same volumes is credited with the same useful tokens, so a ratio is one of time.

A cube that is to lose nothing has as many tokens along an edge as the largest volume needs at 16 mm. Volumes are padded
to it at 2 mm, or stretched to it. Stretching to a smaller cube, of as many tokens as the volumes' boxes have on
average, is cheaper and loses detail of the large volumes; it is credited in full all the same. Reading and resampling
are not timed, which favours cubes. MONAI's ViT is run as it ships, and with its attention switched to the fused kernel
that ours uses. Both sides have equal width, depth and heads, no learned positions, and do forward and backward passes
of all volumes, one after the other on a CPU and together on a GPU; ours are always packed.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.networks.blocks.selfattention import SABlock
from monai.networks.nets import MaskedAutoEncoderViT, ViT
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from benchmarks.cohort import Scan, cohort
from benchmarks.timing import rates
from training.config.model import ModelConfig
from training.config.presets import configured
from training.data.batch import Windows
from training.data.tokens import Tokens, choose_patch, pack, tokenize
from training.networks.encoder import parameters
from training.networks.vit import PackedViT
from training.objectives.masked import draw_mask
from training.objectives.objective import make
from training.running.flops import FlopMeter
from training.running.hardware import described, peak

PATCH_MM, VOXELS = 16.0, 8
"""Edge of a token, and voxels along it in a cube."""
MASK, ROUNDS = 0.6, 3
SMALL = {"dim": 192, "depth": 2, "heads": 3, "decoder_dim": 192, "decoder_heads": 3}
"""What a CPU can do in minutes, with every third volume."""
VIEW, VIEWS, WARM, STEPS = 96, 64, 5, 20
"""Edge of a view in voxels and in mm, views a step, steps before the clock counts, steps that are timed."""

OURS = "packed"
Cubes = Mapping[str, Tensor]
Loss = Callable[[], Tensor]
Ways = dict[str, "Way"]


def run() -> str:
    """Measure, and give the tables."""
    cuda = torch.cuda.is_available()
    config = configured("base", "pretrain").model if cuda else ModelConfig.model_validate(SMALL)
    config = config.model_copy(update={"patch_mm": PATCH_MM, "compile_blocks": cuda})
    scans = cohort()[:: 1 if cuda else 3]
    tokens = [tokens_of(scan, config) for scan in scans]
    boxes = [int(np.prod(window.grid)) for window in tokens]
    useful = sum(len(window.patches) for window in tokens)
    full = max(-(-edge // PATCH_MM) for scan in scans for edge in scan.extent)
    mean = round(float(np.mean(boxes)) ** (1 / 3))
    cubes = {
        f"padded to {int(full)}³ tokens": padded(scans, int(full)),
        f"stretched to {int(full)}³ tokens, no detail lost": stretched(scans, int(full)),
        f"stretched to {mean}³ tokens, the mean of the boxes": stretched(scans, mean),
    }
    what = f"{len(scans)} volumes, {useful} useful tokens of {sum(boxes)} in their boxes"
    parts = [
        f"{what}. {described()}, {'bf16' if cuda else 'fp32'}.",
        _table("Plain, forward and backward", _plain(config, tokens, cubes, useful)),
        _table(f"Masked reconstruction, {MASK:.0%} hidden", _masked(config, tokens, cubes, useful)),
    ]
    if cuda:
        parts += [utilisation(name) for name in ("base", "large")]
    return "\n\n".join(parts)


def tokens_of(scan: Scan, config: ModelConfig) -> Tokens:
    """The tokens of a volume at its own resolution."""
    patch = choose_patch(scan.spacing, config.patch_mm, config.patch_menu)
    return tokenize(scan.values, np.ones(scan.values.shape, bool), scan.tissue, scan.spacing, patch)


def stretched(scans: Sequence[Scan], edge: int) -> Tensor:
    """(N, 1, s, s, s) volumes stretched to cubes of `edge` tokens."""
    return torch.cat([_resized(scan, (edge * VOXELS,) * 3) for scan in scans])


def padded(scans: Sequence[Scan], edge: int) -> Tensor:
    """(N, 1, s, s, s) volumes at one voxel size in cubes of `edge` tokens, around the middle."""
    cubes = torch.zeros(len(scans), 1, *[edge * VOXELS] * 3)
    for cube, scan in zip(cubes, scans, strict=True):
        size = [min(edge * VOXELS, max(1, round(mm * VOXELS / PATCH_MM))) for mm in scan.extent]
        box = tuple(slice((edge * VOXELS - n) // 2, (edge * VOXELS - n) // 2 + n) for n in size)
        cube[(slice(None), *box)] = _resized(scan, size)[0]
    return cubes


def _resized(scan: Scan, size: Sequence[int]) -> Tensor:
    return F.interpolate(torch.from_numpy(scan.values)[None, None], size=tuple(size), mode="trilinear")


def _plain(config: ModelConfig, tokens: Sequence[Tokens], cubes: Cubes, useful: int) -> Ways:
    """Ways to compute every token."""
    ours, batch = PackedViT(config).to(_device()), Windows((), pack(tokens)).to(_device())

    def theirs(edge: int) -> nn.Module:
        sizes = {"hidden_size": config.dim, "mlp_dim": 4 * config.dim, "num_heads": config.heads}
        return ViT(1, edge, VOXELS, num_layers=config.depth, pos_embed_type="sincos", **sizes)

    def loss(output: tuple[Tensor, object]) -> Tensor:
        return output[0].square().mean()

    return {OURS: Way(ours, lambda: ours(batch).square().mean(), useful)} | _rivals(theirs, loss, cubes, useful)


def _masked(config: ModelConfig, tokens: Sequence[Tokens], cubes: Cubes, useful: int) -> Ways:
    """Ways to learn by masked reconstruction, the decoder alike too."""
    recipe = configured("tiny", "pretrain", {"model": config.model_dump(mode="json"), "mask_ratio": MASK})
    ours = make(recipe).to(_device())
    hidden = [{"hidden": draw_mask(len(t.patches), MASK, np.random.default_rng(i))} for i, t in enumerate(tokens)]
    batch = Windows((), pack(tokens, extras=hidden)).to(_device())

    def theirs(edge: int) -> nn.Module:
        sizes = {"hidden_size": config.dim, "mlp_dim": 4 * config.dim, "num_heads": config.heads}
        decoder = {"hidden_size": config.decoder_dim, "mlp_dim": 4 * config.decoder_dim}
        decoder |= {"num_heads": config.decoder_heads, "num_layers": config.decoder_depth}
        named = {f"decoder_{name}": value for name, value in decoder.items()}
        return MaskedAutoEncoderViT(1, edge, VOXELS, num_layers=config.depth, masking_ratio=MASK, **sizes, **named)

    def loss(output: tuple[Tensor, Tensor]) -> Tensor:
        return (output[0].square().mean(-1) * output[1]).mean()

    def own() -> Tensor:
        losses: Tensor = ours(batch).losses
        return losses.mean()

    return {OURS: Way(ours, own, useful)} | _rivals(theirs, loss, cubes, useful)


def _rivals(make_one: Callable[[int], nn.Module], loss: Callable[[Any], Tensor], cubes: Cubes, useful: int) -> Ways:
    """MONAI's network on each kind of cube, as it ships and with fused attention."""
    found: Ways = {}
    for name, cube in cubes.items():
        # a batch of them takes gigabytes on a CPU, and no less time
        batches = [cube.cuda()] if torch.cuda.is_available() else torch.split(cube, 1)
        for fused in (False, True):
            network = make_one(cube.shape[-1]).to(_device())
            for module in network.modules():
                if fused and isinstance(module, SABlock):  # it can, the networks' constructors do not offer it
                    module.use_flash_attention = True
            losses = [partial(lambda network, batch: loss(network(batch)), network, batch) for batch in batches]
            found[f"MONAI{', fused attention' if fused else ''}, {name}"] = Way(network, losses, useful)
    return found


class Way:
    """A way to compute all volumes once, forward and backward."""

    def __init__(self, network: nn.Module, losses: Loss | Sequence[Loss], useful: int) -> None:
        """Make a way.

        Args:
            network: whose gradients are computed.
            losses: one after the other, each with a backward pass of its own.
            useful: tokens that it is credited with.
        """
        self.network, self._useful = network, useful
        self._losses = [losses] if callable(losses) else losses

    def __call__(self) -> float:
        """Compute, and give the useful tokens."""
        self.network.zero_grad(set_to_none=True)
        for loss in self._losses:
            with _arithmetic():
                value = loss()
            torch.autograd.backward(value)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return self._useful


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _arithmetic() -> AbstractContextManager[object]:
    return torch.autocast("cuda", torch.bfloat16) if torch.cuda.is_available() else nullcontext()


def _table(title: str, ways: Ways) -> str:
    """Medians, and the median over rounds of the ratio inside a round."""
    measured = rates(ways, ROUNDS)
    rows = [f"### {title}", "| way | parameters | useful tokens/s, median | packed is faster, times |"]
    rows.append("|---|---|---|---|")
    for name, values in measured.items():
        ratios = [ours / theirs for ours, theirs in zip(measured[OURS], values, strict=True)]
        spread = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        size = parameters(ways[name].network) / 1e6
        rows.append(f"| {name} | {size:.2f} M | {statistics.median(values):.0f} | {spread} |")
    return "\n".join(rows)


def utilisation(name: str) -> str:
    """Views a second and MFU of a preset in training steps: 96³ views at 1 mm, tokens of 16 mm, AdamW."""
    cuda = torch.cuda.is_available()
    changes = {"patch_mm": PATCH_MM, "kernel": (16, 16, 16), "compile_blocks": cuda}
    network = PackedViT(configured(name, "pretrain").model.model_copy(update=changes)).to(_device())
    optimizer = torch.optim.AdamW(network.parameters(), fused=cuda)
    full = np.ones((VIEW,) * 3, bool)
    view = tokenize(np.random.default_rng(0).random(full.shape, np.float32), full, full, (1, 1, 1), (16, 16, 16))
    batch, meter = Windows((), pack([view] * VIEWS)).to(_device()), FlopMeter(network)
    step = Way(network, lambda: network(batch).square().mean(), VIEWS)
    seconds = []
    for _ in range(WARM + STEPS):
        start = time.perf_counter()
        step()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    spent = statistics.median(seconds[WARM:])
    share = meter.taken() / len(seconds) / spent / peak(bf16=cuda)
    return (
        f"### {name}, {parameters(network) / 1e6:.0f} M parameters, {VIEW}³ views of {len(view.patches)} tokens\n"
        f"- {VIEWS / spent:.1f} views a second, {share:.1%} model FLOP utilisation"
    )
