"""The names of the 1,000 classes of ImageNet, which all classifiers have in one order."""

from __future__ import annotations


def class_names() -> list[str]:
    """Return the names as torchvision has them; importing it takes seconds."""
    # Every description of weights there has the same list.
    from torchvision.models import AlexNet_Weights

    names: list[str] = AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
    return names
