"""Measures one work item: ours and the peers in turns, in one run."""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys

import players

HERE = pathlib.Path(__file__).resolve().parent
OURS = "aviary"
TOLERANCE = 1e-3  # of the largest reference value
COMPILE_LIMIT = 60  # seconds that torch.compile may take


@dataclasses.dataclass
class Settings:
    aviary: str
    rounds: int
    turn_seconds: float
    threads: int

    def environment(self, busy: bool, name: str) -> dict:
        environment = dict(os.environ, OMP_NUM_THREADS=str(self.threads), TORCHINDUCTOR_COMPILE_THREADS="1")
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        if busy and name != OURS:
            # PyTorch's runtime lets threads wait spinning on the core that the other process needs: with this setting it runs many
            # times faster there.
            environment["GOMP_SPINCOUNT"] = "800"
        return environment


class Result:
    """The figures of one item under one condition."""

    def __init__(self, item, busy: bool):
        self.item, self.busy = item, busy
        self.samples: dict = {}  # milliseconds by name
        self.memory: dict = {}  # bytes by name
        self.notes: dict = {}
        self.differences: dict = {}  # from PyTorch, relative to the largest value

    def median(self, name: str) -> float:
        return statistics.median(self.samples[name])

    @property
    def best_peer(self):
        peers = [name for name in self.samples if name != OURS]
        return min(peers, key=self.median) if peers else None

    @property
    def ratio(self):
        """Ours ÷ the fastest peer; below 1, ours is faster."""
        both = OURS in self.samples and self.best_peer
        return self.median(OURS) / self.median(self.best_peer) if both else None

    @property
    def memory_ratio(self):
        """Ours ÷ the smallest peer, or for a cold start ÷ ONNX Runtime."""
        peers = [name for name in self.memory if name != OURS]
        return self.memory[OURS] / min(self.memory[name] for name in peers) if peers and OURS in self.memory else None

    @property
    def disagreeing(self) -> list:
        return [name for name, value in self.differences.items() if not value <= TOLERANCE]

    def json(self) -> dict:
        def summary(name):
            values = sorted(self.samples[name])
            quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
            return {
                "median_ms": quartiles[1], "minimum_ms": values[0], "interquartile_ms": quartiles[2] - quartiles[0],
                "iterations": len(values), "peak_bytes": self.memory.get(name)}

        return {
            "item": self.item.name, "busy": self.busy, "best_peer": self.best_peer, "ratio": self.ratio,
            "target": self.item.busy_target if self.busy else self.item.target, "memory_ratio": self.memory_ratio,
            "memory_target": self.item.memory_target, "notes": self.notes, "differences": self.differences,
            "figures": {name: summary(name) for name in self.samples}}


def prepare(item, folder) -> None:
    """Writes the item's weights, input and exported network."""
    subprocess.run(
        [sys.executable, HERE / "prepare.py", item.name, folder], check=True, stdout=subprocess.DEVNULL)


def in_turns(item, folder, settings: Settings, busy: bool) -> Result:
    """Inference or training: every process is kept alive, and one at a time is awake."""
    result = Result(item, busy)
    commands = {OURS: [settings.aviary] + item.bench_arguments(folder)}
    for peer in item.peers:
        commands[peer] = [sys.executable, HERE / "peer.py", peer, item.name, folder, settings.threads]
    with contextlib.ExitStack() as stack:
        alive = []
        for name, command in commands.items():
            try:
                limit = COMPILE_LIMIT if name == "pytorch_compiled" else 300
                alive.append(players.Player(name, command, settings.environment(busy, name), limit))
                stack.callback(alive[-1].stop)
            except players.Failure as failure:
                result.notes[name] = str(failure)
        result.differences = _differences(item, folder, settings, alive)
        if result.disagreeing:
            return result
        with players.BusyCore(sys.executable) if busy else contextlib.nullcontext():
            counts = {}
            for player in alive:
                milliseconds = min(player.turn(1))
                counts[player] = min(max(round(1000 * settings.turn_seconds / milliseconds), 2), 100)
            for turn in range(settings.rounds):
                first = turn % len(alive)
                # Each goes first in turn: nobody always follows the same neighbour.
                for player in alive[first:] + alive[:first]:
                    result.samples.setdefault(player.name, []).extend(player.turn(counts[player]))
        for player in alive:
            result.memory[player.name] = player.peak_memory
    return result


def _differences(item, folder, settings, alive) -> dict:
    """How far each is from PyTorch: in the output, or in the losses of the first steps."""
    if item.has_losses:
        losses = {player.name: player.setup["losses"] for player in alive}
        reference = losses.get("pytorch")
        if reference is None:
            raise players.Failure("PyTorch, which the others are compared with, did not run")
        largest = max(map(abs, reference))
        return {n: max(abs(a - b) for a, b in zip(v, reference)) / largest for n, v in losses.items()}
    output = f"{folder}/{OURS}.npz"
    players.run_once(
        [settings.aviary, "run", item.model, "--weights", f"{folder}/weights.safetensors", "--input",
         f"{folder}/input.npz", "--output", output], settings.environment(False, OURS))
    for player in alive:
        if player.name != OURS:
            player.ask(f"output {folder}/{player.name}.npy")
    files = [output] + [f"{folder}/{player.name}.npy" for player in alive if player.name != OURS]
    checked = subprocess.run(
        [sys.executable, HERE / "check.py", item.output, f"{folder}/pytorch.npy", *files], check=True, stdout=subprocess.PIPE)
    return json.loads(checked.stdout)


def cold(item, folder, settings: Settings, busy: bool) -> Result:
    """From the start of a process to the end that follows its answer on one picture."""
    result = Result(item, busy)
    picture, threads = f"{folder}/picture.jpg", settings.threads
    weights = f"{folder}/weights.safetensors"
    commands = {
        OURS: [settings.aviary, "predict", item.model, "--weights", weights, "--json", picture],
        "onnxruntime": [sys.executable, HERE / "cold_onnxruntime.py", f"{folder}/model.onnx", picture, threads],
        "pytorch": [sys.executable, HERE / "cold_pytorch.py", item.model, f"{folder}/weights.pth", picture, threads],
    }
    answers = {}
    with players.BusyCore(sys.executable) if busy else contextlib.nullcontext():
        names = list(commands)
        for turn in range(settings.rounds + 1):
            first = turn % len(names)
            # As in turns: what one leaves behind in the machine's memory must not always meet the same next one.
            for name in names[first:] + names[:first]:
                command = commands[name]
                output, seconds, memory = players.run_once(command, settings.environment(busy, name))
                if turn == 0:
                    # The first one finds files that the system has not read yet; it is the answer that counts.
                    answer = json.loads(output)
                    answers[name] = answer[0]["top"] if name == OURS else answer
                    continue
                result.samples.setdefault(name, []).append(1000 * seconds)
                result.memory[name] = max(memory, result.memory.get(name, 0))
    reference = {c["index"]: c["probability"] for c in answers["pytorch"]}
    for name, answer in answers.items():
        best = answer[0]
        result.differences[name] = abs(best["probability"] - reference.get(best["index"], float("inf")))
    return result
