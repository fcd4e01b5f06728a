"""Run a model on tensors that have shapes and no numbers, while whole numbers stay real.

A fake tensor (``torch._subclasses.fake_tensor``) takes no memory and no time. But models also look *at* numbers: which
pictures are only padding, where the image tokens stand, how long each picture's sequence is. Those are whole numbers and
small, so they are really computed here, and the code of the model runs as it is.
"""

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
_WHOLE = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_COUNTS = {aten.arange, aten.linspace}  # what counts something stays real, floats too: places in a grid of patches
_MASKED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index_put}


class FakeFloats(TorchDispatchMode):
    """Floats are fake, on the fake device ``cpu``; what is computed from real tensors alone is real.

    Two questions about fake numbers are answered. Does one equal a constant? Of what :meth:`like` made, the original knows;
    of others no value does (no pixel is exactly 0, so no picture is taken for padding). Which token is drawn? Number 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._originals: dict[int, torch.Tensor] = {}  # by the address of the storage that stands for theirs

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # there is no compiler to be kept out; asking it at every operator takes a tenth of the time

    def __enter__(self):
        self.fake.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        return self.fake.__exit__(*error)

    def like(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A fake tensor in place of a real one of floats, for as long as this mode is used."""
        fake = torch.empty(tensor.shape, dtype=dtype)
        self._originals[fake.untyped_storage()._cdata] = tensor
        return fake

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:  # more than half of all that is asked, and known at once
            return args[0].fake_device
        if not any(issubclass(kind, FakeTensor) for kind in types):  # the kinds of tensors among the arguments
            from_tensors = any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves((args, kwargs)))
            if from_tensors or kwargs.get("dtype") in _WHOLE or func.overloadpacket in _COUNTS:
                with unset_fake_temporarily():
                    return func(*args, **kwargs)
        elif func is aten.eq.Scalar:
            with unset_fake_temporarily():
                equal = torch.zeros(args[0].shape, dtype=torch.bool)
                original = self._originals.get(args[0].untyped_storage()._cdata)
                if original is not None and original.numel() == equal.numel():
                    with _disable_current_modes():  # the original counts for nothing: the fake one stands for it
                        equal.copy_(original.reshape(equal.shape) == args[1])
                return equal
        elif func in (aten.multinomial.default, aten.argmax.default):
            shape = func(*args, **kwargs).shape
            with unset_fake_temporarily():
                return torch.zeros(shape, dtype=torch.int64)
        elif func.overloadpacket in _MASKED:  # a mask picks as many elements as it has ones: only a real one knows how many
            args = (args[0], [place for index in args[1] for place in self._places(index)], *args[2:])
        return func(*args, **kwargs)

    def _places(self, index):
        """What takes a mask's place: for each of its dimensions as many places as it has ones; no matter which."""
        if index is None or isinstance(index, FakeTensor) or index.dtype is not torch.bool:
            return [index]
        with unset_fake_temporarily():
            return [torch.zeros(1, dtype=torch.int64).expand(int(index.sum()))] * index.dim()
