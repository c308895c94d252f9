"""The encoder on an accelerator (or, for comparison, a CPU), by torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torchvision.models import vgg

from vecsearch.embed.graph import EPSILON, GEM_P
from vecsearch.embed.layers import truncated
from vecsearch.embed.projection import Projection
from vecsearch.embed.spec import EncoderSpec
from vecsearch.types import Pixels, Vectors

T = TypeVar("T")


def accelerator() -> str | None:
    """Name the accelerator that torch can use: ``cuda``, ``mps``, or None."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def has_bf16() -> bool:
    """Tell whether the device of this engine computes in bfloat16."""
    return accelerator() == "cuda" and torch.cuda.is_bf16_supported()


class TorchEngine:
    """Runs the truncated network of torchvision in channels_last, under autocast for bf16."""

    name = "torch"

    def __init__(
        self,
        spec: EncoderSpec,
        arrays: Mapping[str, npt.NDArray[np.float32]],
        projection: Projection | None,
        *,
        device: str | None = None,
    ) -> None:
        """Load *arrays* (torchvision's names) into the network that *spec* describes."""
        self._device = torch.device(device or accelerator() or "cpu")
        self._bf16 = spec.precision == "bf16"
        network = _Network(spec, projection)
        values = dict(arrays)
        if projection is not None:
            values |= {"projection.weight": projection.matrix, "projection.bias": projection.bias}
        state = {name: torch.from_numpy(np.array(array)) for name, array in values.items()}
        network.load_state_dict(state, assign=True)
        self._network = network.eval().to(self._device).to(memory_format=torch.channels_last)

    @property
    def batch_size(self) -> int:
        """How many pictures keep the device busy."""
        return 128 if self._device.type == "cuda" else 8

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, 224, 224, 3) uint8 RGB -> (n, d) float32 of unit length."""
        return self._start(pixels).cpu().numpy()

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches in order; a batch is on its way while the one before is fetched.

        On CUDA copying in and computing are only queued by `_start`, so that reading the next
        pictures overlaps with both.
        """
        ahead: tuple[T, torch.Tensor] | None = None
        for tag, pixels in batches:
            started = tag, self._start(pixels)
            if ahead is not None:
                yield ahead[0], ahead[1].cpu().numpy()
            ahead = started
        if ahead is not None:
            yield ahead[0], ahead[1].cpu().numpy()

    def _start(self, pixels: Pixels) -> torch.Tensor:
        images = torch.from_numpy(np.array(pixels))
        if self._device.type == "cuda":
            images = images.pin_memory().to(self._device, non_blocking=True)
        else:
            images = images.to(self._device)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16),
        ):
            vectors: torch.Tensor = self._network(images)
        return vectors


class _Network(nn.Module):
    """The truncated VGG19 with its preprocessing, poolings and projection."""

    def __init__(self, spec: EncoderSpec, projection: Projection | None) -> None:
        super().__init__()
        rows = truncated(spec.layers)
        # make_layers alone: vgg19() would also allocate the classifier's 124 million parameters.
        # The meta device allocates nothing; the values come by load_state_dict(assign=True).
        with torch.device("meta"):
            modules = list(vgg.make_layers(vgg.cfgs["E"], batch_norm=False))
            if projection is not None:
                self.projection = nn.Linear(*reversed(projection.matrix.shape))
            fully_connected = [
                module
                for row in rows
                if row.kind == "fc"
                for module in (nn.Linear(row.inputs, row.outputs), nn.ReLU(), nn.Dropout())
            ]
        steps = {row.name: 2 if row.kind == "conv" else 1 for row in rows if row.kind != "fc"}
        self.features = nn.Sequential(*modules[: sum(steps.values())])
        self.classifier = nn.Sequential(*fully_connected)
        self._steps = steps
        self._projects = projection is not None
        self._rows = rows
        self._spec = spec
        for name, values in (("mean", spec.mean), ("std", spec.std)):
            scaled = torch.tensor(values).mul(255).reshape(1, 3, 1, 1)
            self.register_buffer(name, scaled, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 -> (n, d) float32."""
        x = images.permute(0, 3, 1, 2)
        x = (x.float() - self.get_buffer("mean")) / self.get_buffer("std")
        features = []
        convolutional, fully_connected = 0, 0
        for row in self._rows:
            if row.kind == "fc":
                x = self.classifier[fully_connected : fully_connected + 2](x.flatten(1))
                fully_connected += 3
            else:
                steps = self._steps[row.name]
                x = self.features[convolutional : convolutional + steps](x)
                convolutional += steps
            if row.name in self._spec.layers:
                features.append(self._pool(x.float()))
        with torch.autocast(x.device.type, enabled=False):
            y = F.normalize(torch.cat(features, dim=1))
            if self._projects:
                y = F.normalize(self.projection(y))
        return y

    def _pool(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 4:
            match self._spec.pool:
                case "avg":
                    x = x.mean(dim=(2, 3))
                case "max":
                    x = x.amax(dim=(2, 3))
                case "gem":
                    x = x.clamp(min=EPSILON).pow(GEM_P).mean(dim=(2, 3)).pow(1 / GEM_P)
        return F.normalize(x.flatten(1))
