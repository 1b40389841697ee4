"""Writes what diffusers' samplers make of given noise with a small network, from the first step to the last.

    python sampling_fixtures.py FOLDER

makes `sampling.safetensors` and the folder `pipeline` as DDPMPipeline saves it: its network has the deterministic weights of
deterministic.py. Per case `<case>.samples`, the pictures in the end, from the inputs `sample` and, for step i, `noise i` of
deterministic.py; the metadata say how it is called, with the entries of `config.json` and `scheduler_config.json`.
"""

import json
import pathlib
import sys

import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.schedulers import scheduling_ddpm
from safetensors.numpy import save_file

import deterministic

SHAPE = (3, 3, 8, 12)
NETWORK = {
    "sample_size": SHAPE[2:], "block_out_channels": (4, 8), "norm_num_groups": 2, "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 4, "freq_shift": 1, "flip_sin_to_cos": False, "downsample_padding": 0,
}
SCHEDULER = {"variance_type": "fixed_large", "num_train_timesteps": 400, "beta_end": 0.03, "clip_sample_range": 1.5}
LEARNED = {"variance_type": "learned_range", "beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}

# name: (scheduler, its configuration, channels of output, steps, eta)
CASES = {
    "ddpm": (DDPMScheduler, SCHEDULER, 3, 8, None),
    "ddpm_learned": (DDPMScheduler, LEARNED, 6, 6, None),
    "ddim": (DDIMScheduler, SCHEDULER, 3, 7, 0.0),
    "ddim_noisy": (DDIMScheduler, SCHEDULER, 3, 5, 0.6),
}


def given(name: str) -> torch.Tensor:
    return torch.from_numpy(deterministic.image(name, SHAPE))


def network(outputs: int) -> UNet2DModel:
    model = UNet2DModel(**NETWORK, out_channels=outputs).eval()
    deterministic.fill_torch(model)
    return model


@torch.no_grad()
def run(name: str) -> tuple:
    kind, entries, outputs, steps, eta = CASES[name]
    model, written = network(outputs), DDPMScheduler(**entries)
    # A pipeline is given another sampler by its scheduler's configuration.
    scheduler = kind.from_config(written.config)
    scheduler.set_timesteps(steps)
    sample = given("sample")
    for index, timestep in enumerate(scheduler.timesteps):
        noise = given(f"noise {index}")
        scheduling_ddpm.randn_tensor = lambda *_, **__: noise
        extra = {} if eta is None else {"eta": eta, "variance_noise": noise if eta else None}
        sample = scheduler.step(model(sample, timestep).sample, timestep, sample, **extra).prev_sample
    largest = sample.abs().max().item()
    print(f"{name:16} largest {largest:.4g}", flush=True)
    assert 0.1 < largest < 10, name
    return sample.numpy(), json.dumps({
        "steps": steps, "eta": eta, "network": json.loads(model.to_json_string()),
        "scheduler": json.loads(written.to_json_string())})


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors, metadata = {}, {}
    for name in CASES:
        tensors[f"{name}.samples"], metadata[name] = run(name)
    save_file(tensors, folder / "sampling.safetensors", metadata)
    DDPMPipeline(network(3), DDPMScheduler(**SCHEDULER)).save_pretrained(folder / "pipeline")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
