"""What was measured, as Markdown and as JSON."""

import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess

from measure import OURS

TITLES = {
    "pytorch": "PyTorch", "pytorch_channels_last": "PyTorch channels-last", "pytorch_compiled": "torch.compile",
    "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def environment(settings) -> dict:
    """The machine and the versions."""
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    version = subprocess.run([settings.aviary, "--version"], capture_output=True, text=True).stdout.split()[-1]
    versions = {OURS: version}
    for package in ("torch", "onnxruntime", "openvino"):
        versions[package] = importlib.metadata.version(package)
    return {
        "cpu": names[0] if names else platform.machine(), "cores": os.cpu_count(), "threads": settings.threads,
        "system": platform.platform(), "python": platform.python_version(), "versions": versions,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "rounds": settings.rounds, "load_at_start": os.getloadavg()[0]}


def _mark(value, target) -> str:
    """A ratio in bold, with the target it missed."""
    if value is None:
        return "–"
    missed = f" (target {target})" if target is not None and value > target else ""
    return f"**{value:.2f}**{missed}"


def markdown(about: dict, results: list) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads each; {versions}; {about['date']}.",
        f"Medians over {about['rounds']} rounds in which ours and the peers took turns; "
        f"the machine's load at the start was {about['load_at_start']:.2f}.", "",
        "| work | Aviary | " + " | ".join(TITLES.values()) + " | time ÷ best peer | memory ÷ smallest peer |",
        "|---|" + "---:|" * (len(TITLES) + 3)]
    for result in results:
        cells = [result.item.title + (", beside a busy core" if result.busy else "")]
        for name in (OURS, *TITLES):
            cells.append(f"{result.median(name):.1f} ms" if name in result.samples else "–")
        cells.append(_mark(result.ratio, result.item.busy_target if result.busy else result.item.target))
        cells.append(_mark(result.memory_ratio, None if result.busy else result.item.memory_target))
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Peak memory of the processes, in MB:", "", "| work | Aviary | " + " | ".join(TITLES.values()) + " |",
              "|---|" + "---:|" * (len(TITLES) + 1)]
    for result in (result for result in results if not result.busy):
        cells = [f"{result.memory[n] / 1e6:.0f}" if n in result.memory else "–" for n in (OURS, *TITLES)]
        lines.append("| " + " | ".join([result.item.title, *cells]) + " |")
    lines += ["", *_remarks(results)]
    return "\n".join(lines).rstrip() + "\n"


def _remarks(results: list) -> list:
    lines = []
    for result in results:
        where = result.item.name + (" busy" if result.busy else "")
        lines += [f"- {where}: {TITLES.get(name, name)} left out: {note}" for name, note in result.notes.items()]
        for name in result.disagreeing:
            figure = f"{result.differences[name]:.1e}"
            lines.append(f"- {where}: not measured, {TITLES.get(name, name)} differs from PyTorch by {figure}")
    ratios = [result.ratio for result in results if result.ratio and result.item.kind == "inference" and not result.busy]
    if len(ratios) > 1:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines.append(f"- Geometric mean of the {len(ratios)} ratios of inference: {mean:.2f}.")
    worst = [d for result in results for d in result.differences.values() if d < 1]
    if worst:
        lines.append(
            f"- Outputs (losses of three steps when training) differ from PyTorch's by at most {max(worst):.1e} of "
            "the largest value.")
    return lines


def write(folder, about: dict, results: list) -> None:
    """Writes report.md and report.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown(about, results))
    document = {"environment": about, "results": [result.json() for result in results]}
    (folder / "report.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
