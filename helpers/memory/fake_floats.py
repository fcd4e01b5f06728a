"""Run a model on tensors that have shapes and no numbers, while whole numbers stay real.

A fake tensor (``torch._subclasses.fake_tensor``) takes no memory and no time. But models also look *at* numbers: which
pictures are only padding, where the image tokens stand, how long each picture's sequence is. Those are whole numbers and
small, so they are really computed here, and the code of the model runs as it is.
"""

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
_WHOLE = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


class FakeFloats(TorchDispatchMode):
    """Floats are fake, on the fake device ``cpu``; what is computed from real tensors alone is real.

    One question about fake numbers is answered: a fake value never equals a constant (no pixel is exactly 0, so no
    picture is taken for padding).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # there is no compiler to be kept out; asking it at every operator takes a tenth of the time

    def __enter__(self):
        self.fake.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        return self.fake.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:  # more than half of all that is asked, and known at once
            return args[0].fake_device
        if FakeTensor not in types:  # the kinds of tensors among the arguments
            from_tensors = any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves((args, kwargs)))
            if from_tensors or kwargs.get("dtype") in _WHOLE or func.overloadpacket is aten.arange:
                with unset_fake_temporarily():
                    return func(*args, **kwargs)
        elif func is aten.eq.Scalar:
            with unset_fake_temporarily():
                return torch.zeros(args[0].shape, dtype=torch.bool)
        elif func is aten.index.Tensor:  # a mask picks as many elements as it has ones: only a real mask knows how many
            args = (args[0], [self._positions(index) for index in args[1]])
        return func(*args, **kwargs)

    def _positions(self, index):
        if index is None or isinstance(index, FakeTensor) or index.dtype is not torch.bool or index.dim() != 1:
            return index
        with unset_fake_temporarily():
            return index.nonzero().squeeze(1)
