"""Writes what U-Nets, autoencoders, style transfer, denoising networks and adversarial ones must give with deterministic weights.

    python dense_fixtures.py FOLDER [unet|vae|style|denoising|dcgan|dit ...]

makes one file each: `<model>.<output>` for the inputs of deterministic.py, whose shapes the file says, and `<model>.parameters`. The
metadata of `denoising.safetensors` holds the `config.json` of each model, and of one as diffusers saves it.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import deterministic

# google/ddpm-cifar10-32 as published, and small networks whose entries differ from its.
CIFAR10 = {
    "_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu", "attention_head_dim": None,
    "block_out_channels": [128, 256, 256, 256], "center_input_sample": False,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"], "downsample_padding": 0,
    "flip_sin_to_cos": False, "freq_shift": 1, "in_channels": 3, "layers_per_block": 2,
    "mid_block_scale_factor": 1, "norm_eps": 1e-6, "norm_num_groups": 32, "out_channels": 3, "sample_size": 32,
    "time_embedding_type": "positional",
    "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
}
HEADS = {
    "_class_name": "UNet2DModel", "block_out_channels": [16, 32], "norm_num_groups": 8, "sample_size": [8, 12],
    "center_input_sample": True, "layers_per_block": 1, "mid_block_scale_factor": 1.5, "time_embedding_dim": 24,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
NO_MIDDLE = {
    "_class_name": "UNet2DModel", "block_out_channels": [8, 16], "norm_num_groups": 4, "in_channels": 1,
    "out_channels": 2, "mid_block_type": None, "layers_per_block": 1, "attention_head_dim": None, "freq_shift": 1,
    "down_block_types": ["AttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "AttnUpBlock2D"],
}
PLAIN = {
    "_class_name": "UNet2DModel", "block_out_channels": [4, 8, 8], "norm_num_groups": 2, "act_fn": "swish", "dropout": 0.25,
    "add_attention": False, "down_block_types": ["DownBlock2D"] * 3, "up_block_types": ["UpBlock2D"] * 3,
}
CLASSES = {
    "_class_name": "UNet2DModel", "block_out_channels": [8, 16], "norm_num_groups": 4, "in_channels": 1, "out_channels": 1,
    "sample_size": 8, "layers_per_block": 1, "attention_head_dim": 4, "num_class_embeds": 11,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
DENOISING = {
    "ddpm_cifar10": (CIFAR10, (2, 3, 32, 32)), "heads": (HEADS, (2, 3, 8, 12)), "no_middle": (NO_MIDDLE, (1, 1, 8, 8)),
    "plain": (PLAIN, (2, 3, 8, 4)), "classes": (CLASSES, (2, 1, 8, 8)),
}

# Sizes of PyTorch's tutorial, of digits, of a critic without normalization, with classes.
DCGAN = {
    "tutorial": {}, "digits": {"ngf": 8, "ndf": 8, "nc": 1, "image_size": 32, "nz": 10},
    "classes": {"ngf": 4, "ndf": 4, "nc": 1, "image_size": 16, "nz": 6, "num_classes": 5, "norm": "none"},
}
# DiT-S/2 itself, and a small one for grey pictures.
DIT = {
    "dit_s_2": {"hidden_size": 384, "depth": 12, "num_heads": 6},
    "grey": {"hidden_size": 24, "depth": 2, "num_heads": 3, "input_size": 12, "patch_size": 4, "in_channels": 1,
             "num_classes": 7, "learn_sigma": False},
}


def compared(name: str, model, run, *shapes) -> list:
    """The outputs of `run` for the deterministic input, after a check that they depend on it."""
    deterministic.fill_torch(model.eval())
    with torch.no_grad():
        first, second = ([t.numpy() for t in run(model, *(
            torch.from_numpy(deterministic.image(f"{kind} {i}" if i else kind, shape)) for i, shape in enumerate(shapes)))]
            for kind in ("input", "other input"))
    largest, change = float(np.abs(first[0]).max()), float(np.abs(first[0] - second[0]).max())
    print(f"{name:16} largest {largest:10.4g}   changed by the input {change / largest:.4f}", flush=True)
    assert np.isfinite(first[0]).all() and 1e-3 < largest < 1e6 and change > 1e-3 * largest, name
    return first


def parameters(model) -> np.ndarray:
    return np.array(sum(p.numel() for p in model.parameters()), np.int64)


def unets() -> tuple:
    import unet

    tensors = {}
    # Sizes that are odd at one halving or another.
    for name, options in {"unet": {}, "unet_bilinear": {"bilinear": True}, "unet_biased": {"bias": True}}.items():
        model = unet.UNet(**options)
        tensors[f"{name}.logits"], = compared(name, model, lambda m, x: [m(x)], (1, 3, 37, 51))
        tensors[f"{name}.parameters"] = parameters(model)
    model = unet.BrainUNet()
    tensors["unet_brain.probabilities"], = compared("unet_brain", model, lambda m, x: [m(x)], (1, 3, 48, 32))
    tensors["unet_brain.parameters"] = parameters(model)
    return tensors, {}


def vaes() -> tuple:
    import vae

    model = vae.VAE()

    def run(model, image, noise):
        image = (image + 2) / 4
        outputs = model(image, noise)
        return [*outputs, model.decode(outputs[1]), *(torch.as_tensor(part) for part in vae.loss(outputs[0], image, *outputs[1:]))]

    names = ("sampled", "mean", "log_variance", "reconstruction", "loss", "divergence")
    outputs = compared("vae_mnist", model, run, (3, 784), (3, 20))
    tensors = {f"vae_mnist.{name}": np.asarray(value) for name, value in zip(names, outputs)}
    return {**tensors, "vae_mnist.parameters": parameters(model)}, {}


# Names of layers with their weights, of the picture's size in the tests.
GATYS = {
    "neural_style": ({"relu4_2": 5}, {f"relu{block}_1": 100 for block in range(1, 6)}, 0, False),
    "tutorial": ({"conv4_1": 1}, {"conv1_1": 1e3, "conv1_2": 2e3, "conv2_1": 5e2, "conv4_1": 1e3, "pool3": 10}, 1e-4, True),
}


def styles() -> tuple:
    import style

    tensors = {}
    names = style.layer_names(style.VGG19)
    pictures = [torch.from_numpy(deterministic.image(kind, shape)) for kind, shape in (
        ("input", (1, 3, 35, 50)), ("content", (1, 3, 35, 50)), ("style", (1, 3, 41, 32)))]
    for name, (contents, manners, variation, average) in GATYS.items():
        model = torch.nn.Module()
        model.features = style.vgg(style.VGG19, average)
        deterministic.fill_torch(model.eval())
        results = style.gatys(model.features, names, *pictures, contents, manners, variation)
        for output, tensor in zip(("content_loss", "style_loss", "loss", "gradient"), results):
            tensors[f"gatys.{name}.{output}"] = tensor.numpy()
        with torch.no_grad():
            found = style.activations(model.features, names, pictures[0])
        for layer, tensor in found.items():
            # Every so many values, and the largest, which tolerances are relative to.
            values = tensor.flatten()
            tensors[f"gatys.{name}.{layer}"] = values[:: max(1, len(values) // 24)].numpy()
            tensors[f"gatys.{name}.{layer}.largest"] = values.abs().max().numpy()
    for name, filters in {"fast_style": 32, "fast_style_small": 8}.items():
        model = style.TransformerNet(filters)
        tensors[f"{name}.out"], = compared(name, model, lambda m, x: [m(x)], (1, 3, 18, 21))
        tensors[f"{name}.parameters"] = parameters(model)
    for level in (3, 4):
        model = style.AdaIN(level)
        tensors[f"adain{level}.out"], = compared(
            f"adain{level}", model, lambda m, content, style: [m(content, style, 0.75)], (1, 3, 18, 21), (1, 3, 25, 16))
        tensors[f"adain{level}.parameters"] = parameters(model)
    return tensors, {}


def denoising() -> tuple:
    from diffusers import UNet2DModel

    tensors, metadata = {}, {}
    for name, (config, shape) in DENOISING.items():
        model = UNet2DModel.from_config(config)
        steps = torch.tensor([950, 10][: shape[0]])
        labels = torch.tensor([10, 3]) if "num_class_embeds" in config else None
        tensors[f"{name}.noise"], = compared(name, model, lambda m, x: [m(x, steps, labels).sample], shape)
        if labels is not None:
            tensors[f"{name}.labels"] = labels.numpy()
        tensors[f"{name}.timesteps"] = steps.numpy()
        tensors[f"{name}.shape"] = np.array(shape, np.int64)
        tensors[f"{name}.parameters"] = parameters(model)
        metadata[name] = json.dumps(config)
        if name == "ddpm_cifar10":
            metadata[f"{name}.saved"] = model.to_json_string()
    return tensors, metadata


def dcgan() -> tuple:
    import dcgan as networks

    tensors, metadata = {}, {}
    for name, settings in DCGAN.items():
        def of(kind, *keys):
            return kind(**{key: value for key, value in settings.items() if key in (*keys, "nc", "image_size", "num_classes")})

        generator, critic = of(networks.Generator, "nz", "ngf"), of(networks.Discriminator, "ndf", "norm")
        labels = torch.tensor([4, 0]) if critic.classes else None
        size = settings.get("image_size", 64)
        shape = (2, settings.get("nc", 3), size, size)
        tensors[f"{name}.pictures"], = compared(
            f"{name} pictures", generator, lambda m, z: [m(z, labels)], (2, settings.get("nz", 100), 1, 1))
        tensors[f"{name}.verdicts"], = compared(f"{name} verdicts", critic, lambda m, x: [m(x, labels)], shape)
        tensors[f"{name}.parameters"] = parameters(generator)
        tensors[f"{name}.discriminator_parameters"] = parameters(critic)
        metadata[name] = json.dumps(settings)
        if settings.get("norm") == "none":
            penalty = networks.slope_penalty(critic, torch.from_numpy(deterministic.image("input", shape)), labels)
            penalty.backward()
            tensors[f"{name}.penalty"] = penalty.detach().numpy()
            for key, parameter in critic.named_parameters():
                tensors[f"{name}.penalty.{key}"] = parameter.grad.numpy()
    return tensors, metadata


def dit() -> tuple:
    import dit as networks
    from diffusers import DiTTransformer2DModel

    tensors, metadata = {}, {}
    for name, settings in DIT.items():
        size, channels = settings.get("input_size", 32), settings.get("in_channels", 4)
        classes, outputs = settings.get("num_classes", 1000), channels * (2 if settings.get("learn_sigma", True) else 1)
        steps, labels, shape = torch.tensor([950, 10]), torch.tensor([classes, 3]), (2, channels, size, size)
        model = networks.DiT(**settings)
        tensors[f"{name}.noise"], = compared(name, model, lambda m, x: [m(x, steps, labels)], shape)
        tensors[f"{name}.parameters"] = parameters(model)
        metadata[name] = json.dumps(settings)
        config = {
            "num_attention_heads": settings["num_heads"], "attention_head_dim": settings["hidden_size"] // settings["num_heads"],
            "in_channels": channels, "out_channels": outputs, "num_layers": settings["depth"], "sample_size": size,
            "patch_size": settings.get("patch_size", 2), "num_embeds_ada_norm": classes}
        model = DiTTransformer2DModel(**config)
        tensors[f"{name}.diffusers.noise"], = compared(
            f"{name} diffusers", model, lambda m, x: [m(x, steps, labels).sample], shape)
        tensors[f"{name}.diffusers.parameters"] = parameters(model)
        metadata[f"{name}.diffusers"] = model.to_json_string()
        tensors[f"{name}.timesteps"], tensors[f"{name}.labels"] = steps.numpy(), labels.numpy()
    return tensors, metadata


def main(folder: pathlib.Path, wanted: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"unet": unets, "vae": vaes, "style": styles, "denoising": denoising, "dcgan": dcgan, "dit": dit}
    for name in wanted or makers:
        tensors, metadata = makers[name]()
        tensors = {key: np.asarray(value, order="C") for key, value in tensors.items()}
        save_file(tensors, folder / f"{name}.safetensors", metadata)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
