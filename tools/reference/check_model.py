"""Compares one model of the program `aviary` with its reference implementation, through files only.

    python check_model.py AVIARY FOLDER FRAMEWORK/MODEL

FOLDER holds what weight_files.py wrote. Runs the program on every weight file of the model with and without `--exact`,
lets it convert one of them to the formats the reference reads, loads those in the reference and compares every weight.
Prints one row per comparison; exit code 1 when one fails.
"""

import functools
import pathlib
import subprocess
import sys

import numpy as np

import classifiers

TOLERANCE = 1e-4  # of the largest reference value


def report(model: str, what: str, figure: str, passed: bool) -> bool:
    print(f"{model:26} {what:38} {figure:>12}  {'ok' if passed else 'FAILED'}", flush=True)
    return passed


def kind(model: str, file: pathlib.Path) -> str:
    """`keras.weights.h5` of `mobilenet_0.25.keras.weights.h5`."""
    return file.name.removeprefix(model.split("/")[1] + ".")


def run(program: str, *arguments) -> str | None:
    """Runs the program; its last line on stderr when it fails."""
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode == 0:
        return None
    return (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]


def check_logits(program, folder, model: str, weights: pathlib.Path, expected) -> bool:
    passed, name = True, model.split("/")[1]
    for options in ([], ["--exact"]):
        what = "run " + kind(model, weights) + "".join(" " + option for option in options)
        output = folder / "output.npz"
        error = run(
            program, "run", name, "--weights", weights, "--input", folder / f"{name}.input.npy", "--output", output,
            *options)
        if error is not None:
            passed &= report(model, what, "", False)
            print("    " + error)
            continue
        logits = np.load(output)["logits"]
        if logits.shape != expected.shape:
            passed &= report(model, what, str(logits.shape), False)
            continue
        difference = float(np.abs(logits - expected).max() / np.abs(expected).max())
        passed &= report(model, what, f"{difference:.2e}", difference <= TOLERANCE)
    return passed


def load_torch(build, name: str, file: pathlib.Path):
    """(loaded, expected) weights of a file that a torch module must be able to load."""
    from safetensors.torch import load_file

    reference = build(name)
    expected = {n: t.numpy().copy() for n, t in reference.state_dict().items()}
    for parameter in reference.parameters():
        parameter.data.zero_()
    reference.load_state_dict(load_file(file), strict=True)
    return {n: t.numpy() for n, t in reference.state_dict().items()}, expected


def load_keras(name: str, file: pathlib.Path):
    """(loaded, expected) weights of a file that Keras must be able to load."""
    expected = {w.path: w.numpy() for w in classifiers.keras_model(name).weights}
    model = classifiers.keras_model(name, filled=False)
    model.load_weights(file)
    return {w.path: w.numpy() for w in model.weights}, expected


def check_counterpart(program, folder, model: str, source: pathlib.Path, expected) -> bool:
    """timm's weights, converted, must give timm's logits in torchvision's network, whose names the program writes."""
    from safetensors.torch import load_file

    what, target = f"convert {kind(model, source)} -> torchvision", folder / "converted.safetensors"
    name = model.split("/")[1]
    error = run(program, "convert", source, target)
    if error is None:
        reference = classifiers.torchvision_counterpart(name)
        try:
            reference.load_state_dict(load_file(target), strict=True)
            logits = classifiers.torch_logits(reference, np.load(folder / f"{name}.input.npy"))
            difference = float(np.abs(logits - expected).max() / np.abs(expected).max())
            return report(model, what, f"{difference:.2e}", difference <= TOLERANCE)
        except RuntimeError as failure:
            error = str(failure).splitlines()[0]
    report(model, what, "", False)
    print("    " + error)
    return False


def check_conversion(program, folder, model: str, source: pathlib.Path, ending: str, load) -> bool:
    what, target = f"convert {kind(model, source)} -> {ending}", folder / ("converted" + ending)
    target.unlink(missing_ok=True)
    error = run(program, "convert", source, target)
    if error is None:
        try:
            loaded, expected = load(model.split("/")[1], target)
            different = [n for n in expected if not np.array_equal(loaded[n], expected[n])]
            return report(model, what, f"{len(different)}/{len(expected)} differ", not different)
        except Exception as failure:
            error = f"{type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''}"
    report(model, what, "", False)
    print("    " + error)
    return False


def main(program: str, folder: pathlib.Path, model: str) -> bool:
    framework, name = model.split("/")
    expected = np.load(folder / f"{name}.{framework}.expected.npy")
    if framework == "timm":
        conversions, endings = [], [".safetensors", ".pth", ".legacy.pth"]
    elif framework == "keras":
        conversions, endings = [(".h5", load_keras), (".weights.h5", load_keras)], [".h5", ".weights.h5", ".keras"]
    else:
        load = functools.partial(load_torch, classifiers.REFERENCES[framework][0])
        conversions, endings = [(".safetensors", load)], [".safetensors", ".pth", ".legacy.pth"]
    files = [folder / f"{name}.{framework}{ending}" for ending in endings]
    results = [check_logits(program, folder, model, file, expected) for file in files]
    for ending, load in conversions:
        results.append(check_conversion(program, folder, model, files[0], ending, load))
    if framework == "timm":
        results.append(check_counterpart(program, folder, model, files[0], expected))
    portable = folder / f"{name}.portable.safetensors"
    if run(program, "convert", files[0], portable) is None:
        results.append(check_logits(program, folder, model, portable, expected))
        for ending, load in conversions:
            results.append(check_conversion(program, folder, model, portable, ending, load))
    else:
        results.append(report(model, "convert to the portable format", "", False))
    return all(results)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]) else 1)
