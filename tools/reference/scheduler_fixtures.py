"""Writes what diffusers' DDPM and DDIM schedulers make of given outputs and given noise, step by step.

    python scheduler_fixtures.py FILE

Per case `<case>.timesteps`, `<case>.samples` (the first and the one after each step), `<case>.pictures` (the predicted ones); the metadata
hold its `scheduler_config.json` and how it is called. Output and noise of step i are the inputs `output i` and `noise i` of
deterministic.py. `<curve>.alphas` is ᾱ of each curve, `noised` what add_noise gives.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from safetensors.numpy import save_file

import deterministic

SHAPE = (2, 2, 2, 3)

# name: (scheduler, its configuration, steps, arguments of `step`)
CASES = {
    "ddpm": (DDPMScheduler, {}, 10, {}),
    "ddpm_large": (
        DDPMScheduler, {"variance_type": "fixed_large", "timestep_spacing": "trailing", "beta_schedule": "scaled_linear",
                        "prediction_type": "v_prediction", "clip_sample_range": 1.5}, 7, {}),
    "ddpm_learned": (
        DDPMScheduler, {"variance_type": "learned_range", "timestep_spacing": "linspace",
                        "beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample", "clip_sample": False}, 6, {}),
    "ddpm_offset": (
        DDPMScheduler, {"steps_offset": 1, "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 500,
                        "clip_sample": False}, 8, {}),
    "ddpm_one": (DDPMScheduler, {"timestep_spacing": "linspace"}, 1, {}),
    "ddpm_log": (DDPMScheduler, {"variance_type": "fixed_small_log", "beta_schedule": "sigmoid"}, 9, {}),
    "ddpm_direct": (
        DDPMScheduler, {"variance_type": "learned", "thresholding": True, "sample_max_value": 2.5,
                        "dynamic_thresholding_ratio": 0.8, "timestep_spacing": "linspace"}, 6, {}),
    "ddpm_zero": (
        DDPMScheduler, {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing",
                        "beta_schedule": "scaled_linear"}, 8, {}),
    "ddim_zero": (
        DDIMScheduler, {"rescale_betas_zero_snr": True, "prediction_type": "sample", "timestep_spacing": "linspace",
                        "clip_sample": False}, 7, {"eta": 0.3}),
    "ddim_threshold": (DDIMScheduler, {"thresholding": True, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.9},
                       5, {"use_clipped_model_output": True}),
    "ddim": (DDIMScheduler, {}, 10, {}),
    "ddim_alpha": (DDIMScheduler, {"set_alpha_to_one": False, "clip_sample": False, "steps_offset": 1}, 9, {"eta": 0.5}),
    "ddim_trailing": (
        DDIMScheduler, {"timestep_spacing": "trailing", "prediction_type": "v_prediction",
                        "beta_schedule": "scaled_linear"}, 7, {"eta": 1.0}),
    "ddim_corrected": (DDIMScheduler, {}, 10, {"eta": 1.0, "use_clipped_model_output": True}),
    "ddim_sample": (
        DDIMScheduler, {"timestep_spacing": "linspace", "prediction_type": "sample",
                        "beta_schedule": "squaredcos_cap_v2"}, 5, {}),
}


# What DDIMInverseScheduler makes of a picture, from the last step to the first.
INVERSE = {
    "inverse": ({"clip_sample": False}, 8),
    "inverse_velocity": ({"clip_sample": False, "prediction_type": "v_prediction", "set_alpha_to_one": False}, 5),
}


def given(name: str, channels: int = SHAPE[1]) -> torch.Tensor:
    return torch.from_numpy(deterministic.image(name, (SHAPE[0], channels, *SHAPE[2:])))


def run(name: str) -> tuple:
    kind, configuration, steps, arguments = CASES[name]
    scheduler = kind(**configuration)
    scheduler.set_timesteps(steps)
    channels = SHAPE[1] * (2 if configuration.get("variance_type") in ("learned", "learned_range") else 1)
    samples, pictures = [given("sample")], []
    for index, timestep in enumerate(scheduler.timesteps):
        noise = given(f"noise {index}")
        scheduling_ddpm.randn_tensor = lambda *_, **__: noise
        extra = {**arguments, "variance_noise": noise} if kind is DDIMScheduler and arguments.get("eta") else arguments
        output = given(f"output {index}", channels)
        if configuration.get("variance_type") == "learned":
            output[:, SHAPE[1]:] = output[:, SHAPE[1]:].square()
        result = scheduler.step(output, timestep, samples[-1], **extra)
        samples.append(result.prev_sample)
        pictures.append(result.pred_original_sample)
    tensors = {
        f"{name}.timesteps": scheduler.timesteps.numpy(), f"{name}.samples": torch.stack(samples).numpy(),
        f"{name}.pictures": torch.stack(pictures).numpy(),
    }
    if not arguments:
        tensors[f"{scheduler.config.beta_schedule}.alphas"] = kind(
            beta_schedule=scheduler.config.beta_schedule).alphas_cumprod.numpy()
    return tensors, json.dumps({
        "steps": steps, "eta": arguments.get("eta", 0.0), "corrects": "use_clipped_model_output" in arguments,
        "configuration": dict(configuration, _class_name=kind.__name__)})


def run_inverse(name: str) -> tuple:
    configuration, steps = INVERSE[name]
    scheduler = DDIMInverseScheduler(**configuration)
    scheduler.set_timesteps(steps)
    samples = [given("sample")]
    for index, timestep in enumerate(scheduler.timesteps):
        samples.append(scheduler.step(given(f"output {index}"), timestep, samples[-1]).prev_sample)
    return {f"{name}.timesteps": scheduler.timesteps.numpy(), f"{name}.samples": torch.stack(samples).numpy()}, json.dumps({
        "steps": steps, "eta": 0.0, "corrects": False, "configuration": dict(configuration, _class_name="DDIMScheduler")})


def main(file: pathlib.Path) -> None:
    tensors, metadata = {}, {}
    for name in INVERSE:
        made, metadata[name] = run_inverse(name)
        tensors.update(made)
    tensors["zero.alphas"] = DDPMScheduler(rescale_betas_zero_snr=True).alphas_cumprod.numpy()
    for name in CASES:
        made, metadata[name] = run(name)
        tensors.update(made)
    tensors["noised"] = DDPMScheduler().add_noise(given("sample"), given("noise 0"), torch.tensor([0, 700])).numpy()
    save_file(tensors, file, metadata)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
