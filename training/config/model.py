"""The encoder, in fields.

Belongs here: sizes of networks.
"""

from pydantic import Field, model_validator

from schemas.document import Document

PatchMenu = tuple[int, ...]


class ModelConfig(Document):
    """The encoder and what objectives put on it."""

    encoder: str = "vit"
    """Which encoder, a name of `training.networks.encoder`."""
    dim: int = Field(gt=0)
    """Width of a token."""
    stages: tuple[int, ...] = (1, 1, 1, 1)
    """Residual blocks of the convolutional encoder (`resenc`) on voxels and after each halving; channels double with
    each, up to `dim`. The other sizes below are the transformer's."""
    depth: int = Field(default=6, gt=0)
    """Transformer blocks of the encoder."""
    heads: int = Field(default=2, gt=0)
    """Attention heads; the width must divide by them, with at least 6 even channels a head for three rotary axes. On
    GPUs 64, 96 or 128 channels a head are fast, others slow."""
    mlp_ratio: float = Field(default=4.0, gt=0)
    """Width of the block's inner layer against `dim`, counted as in a plain MLP (SwiGLU takes two thirds of it)."""
    patch_mm: float = Field(default=8.0, gt=0)
    """Edge of a patch that the voxel shape is chosen to come near."""
    patch_menu: PatchMenu = (1, 2, 4, 8, 16)
    """Voxels that a patch may have along an axis."""
    kernel: tuple[int, int, int] = (8, 8, 8)
    """Voxels of the learned patch kernel, from which those of other patch shapes are resized."""
    checkpoint_blocks: bool = False
    """Compute the blocks again in the backward pass instead of keeping what is inside them: a third more arithmetic for
    a fraction of the memory."""
    compile_blocks: bool = False
    """Compile the blocks at the first step: faster steps, after a minute of compiling."""
    decoder_dim: int = Field(default=96, gt=0)
    """Width of the light decoder of masked reconstruction."""
    decoder_depth: int = Field(default=1, ge=0)
    """Blocks of that decoder."""
    decoder_heads: int = Field(default=2, gt=0)
    """Attention heads of that decoder."""

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        for width, heads, name in (
            (self.dim, self.heads, "dim and heads"),
            (self.decoder_dim, self.decoder_heads, "decoder_dim and decoder_heads"),
        ):
            if width % heads or (width // heads) % 2 or width // heads < 6:
                raise ValueError(
                    f"{name}: found {width} channels over {heads} heads, needed an even number of at least 6 channels "
                    f"a head; try {heads} * 64 = {heads * 64}"
                )
        if not self.stages or min(self.stages) < 1 or self.dim % 2 ** (len(self.stages) - 1):
            raise ValueError(
                f"stages and dim: found {self.stages} and {self.dim} channels, needed at least one block a stage, and "
                "a dim that can be halved as often as there are stages after the first"
            )
        if not self.patch_menu or min(self.patch_menu) < 1 or min(self.kernel) < 1:
            raise ValueError("patch_menu and kernel: found a size below one voxel, needed sizes of at least 1")
        return self
