import pytest
import torch
from torch.nn import functional

from MidlineShiftLogic.networks.group_norm import GroupNorm


def gradients(layer, function, x, upstream):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = function(x)
    y.backward(upstream.to(y.dtype))
    return y.detach().float(), x.grad.float(), layer.weight.grad.clone(), layer.bias.grad.clone()


@pytest.mark.parametrize("channels", [32, 96])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bfloat16_agrees_with_float32_forth_and_back(channels, layout):
    generator = torch.Generator().manual_seed(0)
    x = (2 * torch.randn(2, channels, 8, 6, generator=generator) + 1).bfloat16().contiguous(memory_format=layout)
    upstream = torch.randn(2, channels, 8, 6, generator=generator).bfloat16().contiguous(memory_format=layout)
    layer = GroupNorm(channels)
    layer.weight.data += 0.3 * torch.randn(channels, generator=generator)
    found = gradients(layer, layer, x, upstream)
    expected = gradients(
        layer, lambda v: functional.group_norm(v, 32, layer.weight, layer.bias, layer.eps), x.float(), upstream
    )
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 0.02 * other.abs().max()


def test_keeps_the_dtype():
    layer = GroupNorm(32)
    for dtype in (torch.float32, torch.bfloat16):
        assert layer(torch.randn(1, 32, 4, 4, dtype=dtype)).dtype == dtype
