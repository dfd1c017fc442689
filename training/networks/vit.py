"""The encoder: a transformer over packed tokens of volumes of any shape and spacing.

Belongs here: patch embedding, blocks, encoder. Objectives and tasks put heads on it elsewhere.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.tokens import Packed
from training.networks.attention import frequencies, packed_attention, rotate, turns
from training.networks.encoder import Encoder
from training.networks.kernels import resize_kernel


class PatchEmbedding(nn.Module):
    """Patches of any voxel shape to tokens, by one learned kernel that is resized to the shape."""

    def __init__(self, dim: int, kernel: Sequence[int]) -> None:
        """Make an embedding.

        Args:
            dim: width of a token.
            kernel: voxels of the learned kernel along each axis.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim, *kernel))
        self.bias = nn.Parameter(torch.zeros(dim))
        nn.init.trunc_normal_(self.weight, std=(kernel[0] * kernel[1] * kernel[2]) ** -0.5)

    def forward(self, patches: Sequence[Tensor]) -> Tensor:
        """(T, dim) tokens of windows with (n_i, px, py, pz) patches."""
        kernels = {shape: resize_kernel(self.weight, shape).flatten(1) for shape in {p.shape[1:] for p in patches}}
        return torch.cat([F.linear(p.flatten(1), kernels[p.shape[1:]], self.bias) for p in patches])


class Block(nn.Module):
    """Pre-norm attention with rotary positions, then a gated feed-forward layer (SwiGLU, Shazeer 2020)."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        """Make a block of `heads` heads over `dim` channels."""
        super().__init__()
        hidden = max(8, round(dim * mlp_ratio * 2 / 3 / 8) * 8)
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.RMSNorm(dim, eps=1e-6), nn.RMSNorm(dim, eps=1e-6)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
        self.gate, self.down = nn.Linear(dim, 2 * hidden), nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor, turn: tuple[Tensor, Tensor], offsets: Tensor, lengths: Sequence[int]) -> Tensor:
        """(T, dim) to (T, dim)."""
        joint = self.qkv(self.norm_attention(tokens)).unflatten(-1, (3 * self.heads, -1))
        turned, value = joint.split([2 * self.heads, self.heads], 1)
        query, key = rotate(turned, turn).chunk(2, 1)
        mixed = packed_attention(query, key, value, offsets, lengths)
        tokens = tokens + self.out(mixed.flatten(1))
        gate, up = self.gate(self.norm_mlp(tokens)).chunk(2, -1)
        return tokens + self.down(F.silu(gate) * up)


class Transformer(nn.Module):
    """A stack of blocks with a final norm."""

    table: Tensor

    def __init__(self, dim: int, depth: int, heads: int, mlp_ratio: float, shortest_mm: float) -> None:
        """Make a stack; `shortest_mm` is the shortest rotary wavelength, two patches."""
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.register_buffer("table", frequencies(dim // heads, shortest_mm), persistent=False)
        self.apply(_initialize)

    def forward(self, tokens: Tensor, batch: Packed) -> Tensor:
        """(T, dim) to (T, dim), windows and positions as in the batch."""
        turn = turns(batch.positions, self.table)
        tokens = tokens.float()  # the residual stream stays in 32 bits, also under autocast
        for block in self.blocks:
            tokens = block(tokens, turn, batch.offsets, batch.lengths)
        normed: Tensor = self.norm(tokens)
        return normed


class PackedViT(Encoder):
    """Patch embedding and transformer."""

    def __init__(self, config: ModelConfig) -> None:
        """Make an encoder with random weights."""
        super().__init__()
        self.config = config
        self.embed = PatchEmbedding(config.dim, config.kernel)
        self.transformer = Transformer(config.dim, config.depth, config.heads, config.mlp_ratio, 2 * config.patch_mm)

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return self.config.dim

    def forward(self, windows: Windows) -> Tensor:
        """(T, dim) features, one for each token of the windows."""
        return self.encode(windows.tokens)

    def encode(self, batch: Packed) -> Tensor:
        """(T, dim) features of tokens alone, of which some may have been left out."""
        features: Tensor = self.transformer(self.embed(batch.patches), batch)
        return features


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
