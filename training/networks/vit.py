"""The encoder: a transformer over packed tokens of volumes of any shape and spacing.

Belongs here: patch embedding, blocks, encoder. Objectives and tasks put heads on it elsewhere.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads
from torch.utils.checkpoint import checkpoint

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.conditions import COLUMNS
from training.data.tokens import Packed
from training.networks.attention import frequencies, merged, packed_attention, rotate, turns
from training.networks.conditions import ConditionEmbedding
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
        alike: defaultdict[torch.Size, list[int]] = defaultdict(list)
        for place, patch in enumerate(patches):
            alike[patch.shape[1:]].append(place)
        found: dict[int, Tensor] = {}
        for shape, places in alike.items():
            kernel = resize_kernel(self.weight, shape).flatten(1)
            tokens = F.linear(torch.cat([patches[place].flatten(1) for place in places]), kernel, self.bias)
            found.update(zip(places, tokens.split([len(patches[place]) for place in places]), strict=True))
        return torch.cat([found[place] for place in range(len(patches))])


class BeforeAttention(nn.Module):
    """Norm, queries, keys and values, the first two turned by their positions."""

    def __init__(self, dim: int, heads: int) -> None:
        """Make `heads` heads over `dim` channels."""
        super().__init__()
        self.heads = heads
        self.norm, self.qkv = nn.RMSNorm(dim, eps=1e-6), nn.Linear(dim, 3 * dim, bias=False)

    def forward(self, tokens: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, (T, heads, dim / heads) each, of one type."""
        joint = self.qkv(self.norm(tokens)).unflatten(-1, (3 * self.heads, -1))
        turned, value = joint.split([2 * self.heads, self.heads], 1)
        query, key = rotate(turned, turn).chunk(2, 1)
        return query, key, value


class AfterAttention(nn.Module):
    """What attention mixed is added, then a gated feed-forward layer (SwiGLU, Shazeer 2020)."""

    def __init__(self, dim: int, hidden: int) -> None:
        """Make layers over `dim` channels with `hidden` inside."""
        super().__init__()
        self.out, self.norm = nn.Linear(dim, dim), nn.RMSNorm(dim, eps=1e-6)
        self.gate, self.down = nn.Linear(dim, 2 * hidden), nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor, mixed: Tensor) -> Tensor:
        """(T, dim) from (T, dim) and (T, heads, dim / heads)."""
        tokens = tokens + self.out(mixed.flatten(1))
        gate, up = self.gate(self.norm(tokens)).chunk(2, -1)
        result: Tensor = tokens + self.down(F.silu(gate) * up)
        return result


class Block(nn.Module):
    """Pre-norm attention with rotary positions, then a feed-forward layer.

    In two parts around the attention, so that each can be compiled for any number of tokens; the attention itself knows
    the lengths of windows, and would be compiled anew for each batch.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float, *, compiled: bool) -> None:
        """Make a block of `heads` heads over `dim` channels."""
        super().__init__()
        self.before = BeforeAttention(dim, heads)
        self.after = AfterAttention(dim, max(8, round(dim * mlp_ratio * 2 / 3 / 8) * 8))
        if compiled:
            self.before.compile(dynamic=True)
            self.after.compile(dynamic=True)

    def forward(self, tokens: Tensor, turn: tuple[Tensor, Tensor], offsets: Tensor, lengths: Sequence[int]) -> Tensor:
        """(T, dim) to (T, dim)."""
        query, key, value = self.before(tokens, turn)
        result: Tensor = self.after(tokens, packed_attention(query, key, value, offsets, lengths))
        return result


class Transformer(nn.Module):
    """A stack of blocks with a final norm."""

    table: Tensor

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        shortest_mm: float,
        *,
        recompute: bool = False,
        compiled: bool = False,
    ) -> None:
        """Make a stack.

        Args:
            dim: width of a token.
            depth: number of blocks.
            heads: attention heads.
            mlp_ratio: width of the inner layer of a plain MLP as large as the gated one.
            shortest_mm: shortest rotary wavelength, two patches.
            recompute: keep only what is between the blocks, and compute what is inside them again in the backward pass.
            compiled: compile the blocks when they are first used.
        """
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, compiled=compiled) for _ in range(depth))
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.register_buffer("table", frequencies(dim // heads, shortest_mm), persistent=False)
        self.apply(_initialize)
        self._recompute = recompute

    def forward(self, tokens: Tensor, batch: Packed, studies: Sequence[int] = ()) -> Tensor:
        """(T, dim) to (T, dim), windows and positions as in the batch.

        Args:
            tokens: (T, dim).
            batch: where they are.
            studies: for each window the study whose windows attend to one another; empty where each is alone.
        """
        turn = turns(batch.positions, self.table)
        offsets, lengths = merged(batch.offsets, batch.lengths, studies)
        tokens = tokens.float()  # the residual stream stays in 32 bits, also under autocast
        for block in self.blocks:
            if self._recompute and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, turn, offsets, lengths, use_reentrant=False)
            else:
                tokens = block(tokens, turn, offsets, lengths)
        normed: Tensor = self.norm(tokens)
        return normed


class PackedViT(Encoder):
    """Patch embedding, what is known of the acquisition, and transformer.

    There is no summary token: it would have no place in millimetres, and every mask, selection and count of useful
    tokens would have to leave it out. What stands for a window is the mean of its tokens.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make an encoder with random weights."""
        super().__init__()
        self.config = config
        self.embed = PatchEmbedding(config.dim, config.kernel)
        self.conditions = ConditionEmbedding(config.dim)
        self.transformer = Transformer(
            config.dim,
            config.depth,
            config.heads,
            config.mlp_ratio,
            2 * config.patch_mm,
            recompute=config.checkpoint_blocks,
            compiled=config.compile_blocks,
        )

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return self.config.dim

    def forward(self, windows: Windows) -> Tensor:
        """(T, dim) features, one for each token of the windows."""
        return self.attend(self.embedded(windows), windows)

    def embedded(self, windows: Windows) -> Tensor:
        """(T, dim) tokens before the transformer, each with what is known of its window's acquisition."""
        batch = windows.tokens
        patches: Tensor = self.embed(batch.patches)
        known = windows.conditions
        if known is None:
            # not left out: every parameter takes part in every step, as distributed training needs
            known = patches.new_full((len(windows), len(COLUMNS)), torch.nan, dtype=torch.float32)
        lengths = torch.tensor(batch.lengths, device=patches.device)
        told: Tensor = self.conditions(known)
        return patches + told.repeat_interleave(lengths, 0, output_size=len(patches))

    def attend(self, tokens: Tensor, windows: Windows) -> Tensor:
        """(T, dim) features of tokens that an objective may have changed, such as hidden ones."""
        features: Tensor = self.transformer(tokens, windows.tokens, windows.studies)
        return features

    def encode(self, batch: Packed) -> Tensor:
        """(T, dim) features of tokens of which nothing more is known."""
        return self(Windows((), batch))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
