"""Which tokens of an example are trained on: the label mask, in words."""

from collections.abc import Sequence


def token_kinds(ids: Sequence[int], labels: Sequence[int], image_token: int) -> list[str]:
    """For each token: "trained", "masked", or "image", a masked placeholder of the picture.

    ``labels``: -100 is PyTorch's "compute no loss here". ``image_token``: the model's ``config.image_token_id``.
    """
    kinds = ["masked" if label == -100 else "trained" for label in labels]
    return ["image" if i == image_token and k == "masked" else k for i, k in zip(ids, kinds, strict=True)]
