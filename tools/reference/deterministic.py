"""Weights that any language can make again from a tensor's name, bit for bit.

Element i (row-major, in the layout of the reference framework) of the tensor `name` is drawn from

    seed = 64-bit FNV-1a of the UTF-8 bytes of `name`
    z    = splitmix64 finaliser of seed + (i + 1) * 0x9E3779B97F4A7C15        (all modulo 2^64)
    u    = (z >> 40) * 2^-24                                                  (exact in float32, 0 <= u < 1)

and then mapped to a value. Every operation below is one float32 operation, rounded to nearest, never fused:

    rank >= 2           (2 * u - 1) * bound       2 * u - 1 is exact; bound = float32(sqrt(6 / fan_in)), the root in float64
    scale of a norm     0.5 + u
    running variance    (1 + u) * spread          spread is 1 but for a few families
    batches counted     0
    any other vector    float32(0.2) * u - float32(0.1)
    the input           4 * u - 2                 exact

fan_in is the product of all axes but the first (torch), of all but the last (Keras), kh * kw for a depthwise kernel of Keras.
The running variance lies above the activations' own so that neither the 50 residual blocks of ResNet-152 explode
(with 0.5 + u its logits reach 1e13 and no bias counts) nor the 27 plain layers of MobileNet lose the input among the biases.
Swish and the gates of squeeze-and-excitation halve small values: there it has to be smaller.
"""

import math

import numpy as np

CHUNK = 1 << 22


def fnv1a(text: str) -> int:
    """The 64-bit FNV-1a hash of the UTF-8 bytes of `text`."""
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def uniform(name: str, shape) -> np.ndarray:
    """The numbers u of the tensor `name`, float32 in [0, 1)."""
    values = np.empty(math.prod(shape), np.float32)
    seed = np.uint64(fnv1a(name))
    for start in range(0, values.size, CHUNK):
        stop = min(start + CHUNK, values.size)
        z = np.arange(start + 1, stop + 1, dtype=np.uint64)
        z *= np.uint64(0x9E3779B97F4A7C15)
        z += seed
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        values[start:stop] = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return values.reshape(shape)


def _kernel(u: np.ndarray, fan_in: int) -> np.ndarray:
    return (np.float32(2) * u - np.float32(1)) * np.float32(math.sqrt(6 / fan_in))


def _vector(u: np.ndarray) -> np.ndarray:
    return np.float32(0.2) * u - np.float32(0.1)


def image(name: str = "input", shape=(1, 3, 224, 224)) -> np.ndarray:
    """A stand-in for a normalised picture, N×C×H×W, values in [-2, 2)."""
    return np.float32(4) * uniform(name, shape) - np.float32(2)


def torch_tensor(name: str, shape, spread: float = 1) -> np.ndarray:
    """The weight that a torch state dict calls `name`."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    u = uniform(name, shape)
    if len(shape) >= 2:
        return _kernel(u, math.prod(shape[1:]))
    if name.endswith("running_var"):
        return (np.float32(1) + u) * np.float32(spread)
    if name.endswith(".weight"):
        return np.float32(0.5) + u
    return _vector(u)


def keras_tensor(name: str, shape, depthwise: bool = False, spread: float = 1) -> np.ndarray:
    """The weight `<layer>/<weight>` of a Keras model, such as `conv1_bn/gamma`."""
    u = uniform(name, shape)
    if len(shape) >= 2:
        return _kernel(u, math.prod(shape[:2]) if depthwise else math.prod(shape[:-1]))
    if name.endswith("/moving_variance"):
        return (np.float32(1) + u) * np.float32(spread)
    if name.endswith("/gamma"):
        return np.float32(0.5) + u
    return _vector(u)


def fill_torch(model, spread: float = 1) -> None:
    """Gives every entry of a torch module's state dict its deterministic value, but for what follows from the architecture."""
    import torch

    model.load_state_dict({
        name: tensor if name.endswith(("relative_position_index", "relative_coords_table"))
        else torch.from_numpy(torch_tensor(name, tuple(tensor.shape), spread))
        for name, tensor in model.state_dict().items()})


def fill_keras(model, spread: float = 1) -> None:
    """Gives every weight of a Keras model its deterministic value, but for the statistics of pixels, which stay 0 and 1."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            continue
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        layer.set_weights(
            [
                keras_tensor(
                    f"{layer.name}/{w.name}", tuple(w.shape), depthwise or w.name == "depthwise_kernel", spread)
                for w in layer.weights
            ])
