"""The networks as PyTorch modules, from configs/models/*.yaml, with the seeded weights that our engines have.

They are written as one writes them for PyTorch: its own layers, nothing fused by hand, the names of the checkpoints. So
they are what a user would run, and what ours is measured beside (torch_baseline.py). Imports nothing but torch.
"""
import fnmatch
import math

import torch
from torch import nn
from torch.nn import functional as F

# --- the model's description --------------------------------------------------------------------------------------------


def value_of(text):
    """A number, a list of numbers, true or false, or the text itself."""
    text = text.strip()
    if text.startswith("["):
        return [int(item) for item in text.strip("[]").split(",")]
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text.strip('"')


def read_config(path):
    """{key: value} of a model's file: one line a key, comments from '#' on."""
    config = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].rstrip()
            if line:
                key, _, text = line.partition(":")
                config[key] = value_of(text)
    return config


# --- pieces that several networks have ---------------------------------------------------------------------------------


def conv(cin, cout, kernel=1, stride=1, bias=False, groups=1):
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=bias)


def norm(channels):
    return nn.InstanceNorm2d(channels, affine=True)


def conv_norm(cin, cout, kernel=1, stride=1, bias=False):
    return nn.Sequential(conv(cin, cout, kernel, stride, bias), norm(cout))


def conv_norm_relu(cin, cout, kernel=1, stride=1, bias=False):
    return nn.Sequential(conv(cin, cout, kernel, stride, bias), norm(cout), nn.ReLU())


def resized(x, like, corners):
    if x.shape[2:] == like:
        return x
    return F.interpolate(x, size=like, mode="bilinear", align_corners=corners)


# --- HRNet ---------------------------------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, cin):
        super().__init__()
        self.conv1, self.bn1 = conv(cin, 64), norm(64)
        self.conv2, self.bn2 = conv(64, 64, 3), norm(64)
        self.conv3, self.bn3 = conv(64, 256), norm(256)
        if cin != 256:
            self.downsample = conv_norm(cin, 256)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Basic(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, channels, 3), norm(channels)
        self.conv2, self.bn2 = conv(channels, channels, 3), norm(channels)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


def fuse_path(j, i, channels):
    """From branch j to branch i."""
    if j > i:
        return conv_norm(channels[j], channels[i])
    steps = []
    for z in range(i - j):
        last = z == i - j - 1
        steps.append((conv_norm if last else conv_norm_relu)(channels[j], channels[i] if last else channels[j], 3, 2))
    return nn.Sequential(*steps)


class Module(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.count = len(channels)
        self.branches = nn.ModuleList(nn.Sequential(*(Basic(c) for _ in range(4))) for c in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict({str(j): fuse_path(j, i, channels) for j in range(self.count) if j != i})
            for i in range(self.count))

    def forward(self, xs):
        xs = [branch(x) for branch, x in zip(self.branches, xs)]
        return [self.fuse(xs, i) for i in range(self.count)]

    def fuse(self, xs, i):
        y = None
        for j in range(self.count):
            term = xs[i] if j == i else resized(self.fuse_layers[i][str(j)](xs[j]), xs[i].shape[2:], True)
            y = term if y is None else y + term
        return F.relu(y)


class HRNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config["features"]
        self.conv1, self.bn1 = conv(config["input"][0], 64, 3, 2), norm(64)
        self.conv2, self.bn2 = conv(64, 64, 3, 2), norm(64)
        self.layer1 = nn.Sequential(Bottleneck(64), *(Bottleneck(256) for _ in range(3)))
        self.transition1 = nn.ModuleList([conv_norm_relu(256, c[0], 3), nn.Sequential(conv_norm_relu(256, c[1], 3, 2))])
        self.stage2 = nn.ModuleList([Module(c[:2])])
        self.transition2 = nn.ModuleDict({"2": nn.Sequential(conv_norm_relu(c[1], c[2], 3, 2))})
        self.stage3 = nn.ModuleList(Module(c[:3]) for _ in range(4))
        self.transition3 = nn.ModuleDict({"3": nn.Sequential(conv_norm_relu(c[2], c[3], 3, 2))})
        self.stage4 = nn.ModuleList(Module(c) for _ in range(3))
        self.last_layer = nn.Sequential(conv(sum(c), sum(c), bias=True), norm(sum(c)), nn.ReLU(),
                                        conv(sum(c), 1, bias=True))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))
        xs = [branch(x) for branch in self.transition1]
        for module in self.stage2:
            xs = module(xs)
        xs.append(self.transition2["2"](xs[-1]))
        for module in self.stage3:
            xs = module(xs)
        xs.append(self.transition3["3"](xs[-1]))
        for module in self.stage4:
            xs = module(xs)
        like = xs[0].shape[2:]
        y = self.last_layer(torch.cat([resized(x, like, True) for x in xs], 1))
        return F.interpolate(y, size=(4 * like[0], 4 * like[1]), mode="bilinear", align_corners=True)


# --- ResUNet-Small -------------------------------------------------------------------------------------------------------


class SpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv(2, 1, 7)

    def forward(self, x):
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(both))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        hidden = max(channels // 16, 8)
        self.fc = nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Identity(),
                                nn.Linear(hidden, channels, bias=False), nn.Sigmoid())

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class Res(nn.Module):
    def __init__(self, cin, channels):
        super().__init__()
        self.conv1, self.norm1 = conv(cin, channels, 3), norm(channels)
        self.conv2, self.norm2 = conv(channels, channels, 3), norm(channels)
        self.adjust_channels = conv(cin, channels) if cin != channels else nn.Identity()
        self.se, self.spatial_attention = SqueezeExcite(channels), SpatialAttention()

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)) + self.adjust_channels(x))
        return self.spatial_attention(self.se(y))


class Gate(nn.Module):
    """refine: what the gated skip goes through at the end."""

    def __init__(self, channels, inner, name, refine, psi_bias):
        super().__init__()
        self.W_g, self.W_x = conv_norm(channels, inner), conv_norm(channels, inner)
        self.psi = nn.Sequential(conv(inner, 1, bias=psi_bias), norm(1), nn.Sigmoid())
        self.name = name
        self.add_module(name, refine)

    def forward(self, up, skip):
        psi = self.psi(F.relu(self.W_g(up) + self.W_x(skip)))
        return getattr(self, self.name)(skip * psi)


class ResUNetSmall(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config["features"]
        wide = [config["input"][0], *c]
        self.init_conv = conv_norm_relu(wide[0], c[0], 7)
        self.downs = nn.ModuleList(Res(c[max(i - 1, 0)], c[i]) for i in range(len(c)))
        self.bottleneck = nn.Sequential(Res(c[-1], 2 * c[-1]), Res(2 * c[-1], 2 * c[-1]))
        ups, gates, below = [], [], 2 * c[-1]
        for channels in reversed(c):
            ups += [nn.ConvTranspose2d(below, channels, 2, 2), Res(2 * channels, channels)]
            gates.append(Gate(channels, max(channels // 2, 8), "spatial_attention", SpatialAttention(), False))
            below = channels
        self.ups, self.attentions = nn.ModuleList(ups), nn.ModuleList(gates)
        self.final_conv = nn.Sequential(conv(c[0], c[0] // 2, 3), norm(c[0] // 2), nn.ReLU(), nn.Identity(),
                                        conv(c[0] // 2, 1, bias=True))

    def forward(self, x):
        size, skips = x.shape[2:], []
        x = self.init_conv(x)
        for down in self.downs:
            skips.append(down(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for i, skip in enumerate(reversed(skips)):
            x = resized(self.ups[2 * i](x), skip.shape[2:], False)
            x = self.ups[2 * i + 1](torch.cat([self.attentions[i](x, skip), x], 1))
        return resized(self.final_conv(x), size, False)


# --- ResUNet-Advanced ------------------------------------------------------------------------------------------------------


def simam(x):
    centred = x - x.mean((2, 3), keepdim=True)
    variance = (centred * centred).mean((2, 3), keepdim=True)
    return x * torch.sigmoid(-centred / torch.sqrt(variance + 1e-4))


class Triplet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_ch = nn.Conv2d(2, 1, (1, 7), padding=(0, 3), bias=False)
        self.conv_cw = nn.Conv2d(2, 1, (7, 1), padding=(3, 0), bias=False)
        self.conv_hw = conv(2, 1, 7)

    def forward(self, x):
        def described(y):
            return torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1)
        row = torch.sigmoid(self.conv_ch(described(x.mean(3, keepdim=True))))
        column = torch.sigmoid(self.conv_cw(described(x.mean(2, keepdim=True))))
        return x * row * column * torch.sigmoid(self.conv_hw(described(x)))


class MSA(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stage2, self.fusion = Triplet(), conv_norm_relu(channels, channels)

    def forward(self, u):
        return self.fusion(self.stage2(simam(u))) + u


class Adv(nn.Module):
    def __init__(self, cin, channels):
        super().__init__()
        self.conv1, self.norm1 = conv(cin, channels, 3), norm(channels)
        self.conv2, self.norm2 = conv(channels, channels, 3), norm(channels)
        self.attention = MSA(channels)
        self.skip = conv_norm(cin, channels) if cin != channels else nn.Identity()

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.attention(self.norm2(self.conv2(y))) + self.skip(x))


class Attention(nn.Module):
    HEADS = 8

    def __init__(self, channels):
        super().__init__()
        self.qkv = nn.Sequential(conv(channels, channels, 3, groups=channels), conv(channels, 3 * channels))
        self.proj = conv(channels, channels, bias=True)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(169, self.HEADS))  # in checkpoints, never read

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.qkv(x).reshape(n, 3, self.HEADS, c // self.HEADS, h * w).transpose(3, 4).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(2, 3).reshape(n, c, h, w))


class ResUNetAdvanced(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config["features"]
        self.init_conv = conv_norm_relu(config["input"][0], c[0], 7)
        below = c[0]
        for i, channels in enumerate(c, 1):
            blocks = 2 if i <= 2 else 3
            self.add_module("encoder%d" % i, nn.Sequential(*(Adv(below if b == 0 else channels, channels)
                                                             for b in range(blocks))))
            below = channels
        self.bottleneck = nn.Sequential(Adv(below, 2 * below), Attention(2 * below), Adv(2 * below, 2 * below))
        below *= 2
        for i, channels in reversed(list(enumerate(c, 1))):
            self.add_module("upconv%d" % i, nn.ConvTranspose2d(below, channels, 2, 2))
            self.add_module("att%d" % i, Gate(channels, channels // 2, "refine", Triplet(), True))
            self.add_module("decoder%d" % i, nn.Sequential(Adv(2 * channels, channels), Adv(channels, channels)))
            below = channels
        self.levels = len(c)
        self.final_conv = nn.Sequential(conv(c[0], c[0] // 2, 3), norm(c[0] // 2), nn.ReLU(),
                                        conv(c[0] // 2, 1, bias=True))

    def forward(self, x):
        skips = []
        x = self.init_conv(x)
        for i in range(1, self.levels + 1):
            skips.append(getattr(self, "encoder%d" % i)(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for i in range(self.levels, 0, -1):
            x = getattr(self, "upconv%d" % i)(x)
            x = getattr(self, "decoder%d" % i)(torch.cat([getattr(self, "att%d" % i)(x, skips[i - 1]), x], 1))
        return self.final_conv(x)


# --- weights and images: kernels/graph/seeded.h, kernels/base/image.h ------------------------------------------------------

ARCHITECTURES = {"hrnet": HRNet, "resunet_small": ResUNetSmall, "resunet_advanced": ResUNetAdvanced}
# Norms whose weights are a tenth in the damped set, so that the networks behave as trained ones do.
DAMPED = {"hrnet": ["stage*.branches.*.bn2", "layer1.*.bn3", "*.fuse_layers.*"], "resunet_small": ["*.norm2"],
          "resunet_advanced": ["*.norm2", "*.attention.fusion.1"]}
MASK64 = (1 << 64) - 1


def signed(value):
    """64 bits as torch's int64 has them."""
    value &= MASK64
    return value - (1 << 64) if value >> 63 else value


def fnv1a64(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 & MASK64
    return value


def shifted(z, bits):
    """Logical shift to the right."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def uniform(text, count, device):
    """[count] doubles in [0,1): splitmix64 from the hash of `text` on."""
    step = torch.arange(1, count + 1, dtype=torch.int64, device=device)
    z = step * signed(0x9e3779b97f4a7c15) + signed(fnv1a64(text))
    z = (z ^ shifted(z, 30)) * signed(0xbf58476d1ce4e5b9)
    z = (z ^ shifted(z, 27)) * signed(0x94d049bb133111eb)
    z = z ^ shifted(z, 31)
    return shifted(z, 11).double() * 2.0 ** -53


def spread(module, field, weight, damped):
    """(offset, slope, scale): a value is scale * (offset + slope * t)."""
    if isinstance(module, nn.InstanceNorm2d) and field == "weight":
        return 1, 0.1, 0.1 if damped else 1
    if field == "weight":
        transposed = isinstance(module, nn.ConvTranspose2d)
        fan = weight.shape[0] if transposed else weight.numel() // weight.shape[0]
        return 0, math.sqrt(3.0 / fan), 1
    return 0, 0.1, 1


def seed_weights(net, config, damped):
    """Fills every parameter in place; the sum of all of them, in double."""
    patterns = DAMPED[config["architecture"]] if damped else []
    total = 0.0
    with torch.no_grad():
        for path, module in net.named_modules():
            low = any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
            for field, weight in module.named_parameters(recurse=False):
                offset, slope, scale = spread(module, field, weight, low)
                t = 2 * uniform("%s/%s.%s" % (config["name"], path, field), weight.numel(), weight.device) - 1
                weight.copy_((scale * (offset + slope * t)).float().reshape(weight.shape))
                total += weight.double().sum().item()
    return total


def network(config, device="cpu", damped=True):
    """(module in evaluation mode on the device, sum of its parameters); `config` of read_config."""
    with torch.device(device):
        net = ARCHITECTURES[config["architecture"]](config).eval().requires_grad_(False)
    return net, seed_weights(net, config, damped)


def image(text, shape, device="cpu"):
    """[C,H,W] in [0,1); text "input" is the image of the conformance values."""
    return uniform(text, math.prod(shape), device).float().reshape(shape)
