"""Writes the small files in Tests/AviaryWeightsTests/Fixtures, each by the program whose format it is.

Needs keras 3.15, tensorflow 2.21 (or another backend), h5py, numpy and safetensors. Usage:
weight_fixtures.py FOLDER [FUNCTION ...], where the functions are those at the end; by default all.
"""

import os
import struct
import sys
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

FOLDER = sys.argv[1]


def path(name):
    return os.path.join(FOLDER, name)


def values(*shape, start=0):
    """Distinct numbers, exact in every float type: k/8 for k = start, start + 1, ..."""
    count = int(np.prod(shape))
    return ((np.arange(count) + start).reshape(shape) / 8).astype("float32")


def small_model():
    """Every kind of layer that Keras files treat differently; weights k/8, counted through the layers."""
    inner = keras.Sequential([layers.Dense(3, name="inner_dense")], name="inner")
    image = keras.Input((6, 4, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="stem")(image)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.Conv2D(2, 1, padding="same", name="pointwise")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(5, name="fc")(x)
    x = inner(x)
    model = keras.Model(image, x, name="small")
    start = 0
    for variable in model.variables:
        variable.assign(values(*variable.shape, start=start))
        start += int(np.prod(variable.shape))
    return model


def keras3():
    model = small_model()
    model.save_weights(path("keras3.weights.h5"))
    model.save(path("keras3_model.h5"))
    expected = {}
    for layer in list(model.layers) + model.get_layer("inner").layers:
        if layer.name == "inner":
            continue
        for variable in layer.weights:
            expected[f"{layer.name}/{variable.name}"] = variable.numpy()
    np.savez(path("keras3_expected.npz"), **expected)


def keras_archives():
    """The same model as `.keras`, stored as Keras does and deflated; and its weights over several files."""
    model = small_model()
    model.save(path("small.keras"))
    with zipfile.ZipFile(path("small.keras")) as source:
        with zipfile.ZipFile(path("small_deflated.keras"), "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        # As Keras before 3.15: the layers have no names but in the configuration.
        with zipfile.ZipFile(path("flat_nameless.keras"), "w") as target:
            flat = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1, name="second")])
            flat.get_layer("first").set_weights([values(3, 2), values(2)])
            flat.get_layer("second").set_weights([values(2, 1), values(1)])
            flat.save(path("named.tmp.keras"))
            with zipfile.ZipFile(path("named.tmp.keras")) as named:
                with open(path("named.tmp.h5"), "wb") as file:
                    file.write(named.read("model.weights.h5"))
                with h5py.File(path("named.tmp.h5"), "a") as file:
                    file.visititems(lambda _, item: item.attrs.pop("name", None) and None)
                for name in named.namelist():
                    target.writestr(name, open(path("named.tmp.h5"), "rb").read() if name.endswith(".h5") else named.read(name))
            os.remove(path("named.tmp.keras"))
            os.remove(path("named.tmp.h5"))
    os.makedirs(path("keras_shards"), exist_ok=True)
    model.save_weights(path("keras_shards/small.weights.json"), max_shard_size=9e-7)


def bfloat16():
    """Two opaque bytes per number, with a note beside them in one format and without it in the other."""
    keras.config.set_dtype_policy("bfloat16")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="fc")])
    model.get_layer("fc").set_weights([values(3, 2), values(2, start=6)])
    model.save_weights(path("bfloat16.weights.h5"))
    model.save(path("bfloat16_model.h5"))
    keras.config.set_dtype_policy("float32")


def keras1():
    """As Keras 1 with h5py 2: fixed-length text, no version, weights named after the layer."""
    with h5py.File(path("keras1_style.h5"), "w") as file:
        file.attrs["layer_names"] = np.array([b"input_1", b"block1_conv1", b"bn", b"fc1"])
        file.create_group("input_1").attrs["weight_names"] = []
        conv = file.create_group("block1_conv1")
        conv.attrs["weight_names"] = np.array([b"block1_conv1_W_1:0", b"block1_conv1_b_1:0"])
        conv["block1_conv1_W_1:0"] = values(3, 3, 2, 4)
        conv["block1_conv1_b_1:0"] = values(4, start=72)
        bn = file.create_group("bn")
        names = ["bn_gamma", "bn_beta", "bn_running_mean", "bn_running_std"]
        bn.attrs["weight_names"] = np.array([name.encode() for name in names])
        for index, name in enumerate(names):
            bn[name] = values(4, start=100 + 4 * index)
        fc = file.create_group("fc1")
        fc.attrs["weight_names"] = np.array([b"uniform7", b"fc1_b"])
        fc["uniform7"] = values(8, 3, start=200)
        fc["fc1_b"] = values(3, start=224)


def keras2():
    """As tf.keras 2: a whole model, variable-length text, a nested model as one group, attributes in pieces."""
    with h5py.File(path("keras2_style.h5"), "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = '{"class_name": "Functional"}'
        weights = file.create_group("model_weights")
        weights.attrs["keras_version"] = "2.4.0"
        weights.attrs["backend"] = "tensorflow"
        text = h5py.string_dtype()
        weights.attrs.create("layer_names0", ["input_1", "base"], dtype=text)
        weights.attrs.create("layer_names1", ["conv2d_7", "conv2d_12"], dtype=text)
        weights.create_group("input_1").attrs["weight_names"] = []
        base = weights.create_group("base")
        base.attrs.create("weight_names0", ["conv1/kernel:0", "conv1_bn/beta:0"], dtype=text)
        base.attrs.create("weight_names1", ["conv1_bn/moving_mean:0"], dtype=text)
        base["conv1/kernel:0"] = values(1, 1, 3, 2)
        base["conv1_bn/beta:0"] = values(2, start=6)
        base["conv1_bn/moving_mean:0"] = values(2, start=8)
        for layer, start in (("conv2d_7", 10), ("conv2d_12", 30)):
            group = weights.create_group(layer)
            group.attrs.create("weight_names", [f"{layer}/kernel:0", f"{layer}/bias:0"], dtype=text)
            group[f"{layer}/kernel:0"] = values(1, 1, 3, 2, start=start)
            group[f"{layer}/bias:0"] = values(2, start=start + 6)
        optimizer = file.create_group("optimizer_weights")
        optimizer.attrs.create("weight_names", ["iteration:0"], dtype=text)
        optimizer["iteration:0"] = np.int64(9)


def other_hdf5():
    """Files of no framework: every type, compression, new-style groups; and files that must be refused."""
    with h5py.File(path("latest.h5"), "w", libver="latest") as file:
        file["layer10/x"] = values(2, 3)
        file["layer2/x"] = values(3)
        file["layer2"].attrs["note"] = "new-style"
    with h5py.File(path("flat.h5"), "w") as file:
        file["layer10/x"] = values(2, 3)
        file["layer2/x"] = values(2, 3).astype(">f4")
        file["half"] = values(4).astype("float16")
        file["double"] = values(4).astype("float64")
        file["small"] = np.array([-3, 4], "int8")
        file["wide"] = np.array([7, 2**40], "uint64")
        file["flags"] = np.array([True, False, True])
        file["scalar"] = np.float32(2.5)
        file["nothing"] = np.zeros((0, 3), "float32")
        file.create_dataset("packed", data=values(64, 8), compression="gzip", shuffle=True, chunks=(16, 8))
        file["text"] = "not numbers"
    with h5py.File(path("hostile_external_link.h5"), "w") as file:
        file["x"] = h5py.ExternalLink("keras1_style.h5", "/fc1/fc1_b")
    with h5py.File(path("hostile_soft_link.h5"), "w") as file:
        file["x"] = h5py.SoftLink("/y")
    with h5py.File(path("hostile_external_data.h5"), "w") as file:
        file.create_dataset("x", (16,), "u1", external=[("/etc/hostname", 0, 16)])
    with h5py.File(path("hostile_virtual.h5"), "w") as file:
        layout = h5py.VirtualLayout((3,), "float32")
        layout[:] = h5py.VirtualSource("keras1_style.h5", "fc1/fc1_b", (3,))
        file.create_virtual_dataset("x", layout)
    with h5py.File(path("hostile_bomb.h5"), "w") as file:
        data = file.create_dataset("x", (1 << 20, 1 << 12), "float32", compression="gzip", chunks=(1024, 64))
        data[0, 0] = 1
    with h5py.File(path("hostile_circle.h5"), "w") as file:
        file["a/b"] = file["/"]


def numpy_files():
    np.save(path("fortran.npy"), np.asfortranarray(values(2, 3, 4)))
    np.save(path("big_endian.npy"), values(5).astype(">f4"))
    np.save(path("objects.npy"), np.array([{}], dtype=object), allow_pickle=True)
    with open(path("version2.npy"), "wb") as file:
        np.lib.format.write_array(file, values(3), version=(2, 0))
    np.savez_compressed(path("compressed.npz"), zeros=np.zeros((32, 32), "float32"), ramp=values(100))


def darknet_files():
    """A header of today's with eight bytes for the pictures seen, and an old one with four."""
    with open(path("small.weights"), "wb") as file:
        file.write(struct.pack("<iiiQ", 0, 2, 5, 64000) + (np.arange(12, dtype="<f4") / 4).tobytes())
    with open(path("old.weights"), "wb") as file:
        file.write(struct.pack("<iiiI", 0, 1, 0, 640) + np.array([1, 2, 3], "<f4").tobytes())


def safetensors_file():
    save_file(
        {"b": values(3, 5), "a": values(2, start=15), "ids": np.array([1, 2, 3]), "flag": np.array([True, False])},
        path("reference.safetensors"), metadata={"format": "np", "note": "ü"})


WRITERS = (keras1, keras2, keras3, keras_archives, bfloat16, other_hdf5, numpy_files, darknet_files,
           safetensors_file)

for write in WRITERS:
    if len(sys.argv) == 2 or write.__name__ in sys.argv[2:]:
        write()
