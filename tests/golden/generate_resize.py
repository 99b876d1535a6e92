"""Golden values of what changes sizes: padding with what lies inside."""
import torch.nn.functional as F

from golden_file import Draw, GoldenFile


def padding():
    g = GoldenFile("padding")

    def pad(name, shape, before, after, mode):
        """before, after: of the spatial axes."""
        flat = [side for pair in reversed(list(zip(before, after))) for side in pair]
        g.case(f"pad {mode}: {name}", "padMode", lambda x: F.pad(x, flat, mode=mode), {"x": Draw(name).uniform(*shape)},
               {"before": [0, 0, *before], "after": [0, 0, *after], "mode": mode})

    for mode in ("reflect", "replicate", "circular"):
        pad("sequences", (2, 2, 4), [2], [3], mode)
        pad("pictures", (1, 2, 3, 4), [2, 0], [1, 3], mode)
        pad("volumes", (1, 1, 2, 3, 3), [1, 2, 0], [0, 1, 2], mode)
    pad("further than the input", (1, 1, 2, 1), [3, 2], [5, 0], "replicate")
    pad("the whole input twice", (1, 1, 3), [3], [3], "circular")
    return g


def files():
    return [padding()]
