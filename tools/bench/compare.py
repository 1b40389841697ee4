"""Compares the speed of ours with that of the peers; `compare` beside this file starts it."""

import argparse
import os
import pathlib
import signal
import sys
import tempfile

import items
import measure
import players
import report


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="compare", description="Measures Aviary, PyTorch, ONNX Runtime and OpenVINO in turns on this machine.",
        epilog="Items: " + ", ".join(item.name for item in items.ITEMS) + "; and MODEL-bN or MODEL-train-bN.")
    parser.add_argument("items", nargs="*", metavar="ITEM", help="what to measure, by default everything")
    parser.add_argument("--rounds", type=int, help="by default 9, with --quick 3")
    parser.add_argument("--busy", action="store_true", help="each item once more beside a process that keeps a core busy")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: to see that it works")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("bench-report"), help="folder for the report")
    parser.add_argument("--aviary", required=True, help="the program")
    return parser.parse_args()


def results_of(item, settings: measure.Settings, conditions: list):
    """The results of an item, one per condition (busy or not); none where it failed."""
    run = measure.cold if item.kind == "cold" else measure.in_turns
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        measure.prepare(item, pathlib.Path(folder))
        for busy in conditions:
            print(f"compare: {item.name}{', beside a busy core' if busy else ''}", file=sys.stderr, flush=True)
            result = run(item, folder, settings, busy)
            ratio = "not measured" if result.ratio is None else f"{result.ratio:.2f} of {result.best_peer}'s time"
            print(f"compare: {item.name}: {ratio}", file=sys.stderr, flush=True)
            yield result


def main() -> int:
    # As an exception, so that the contenders are ended too: one that is stopped would stay for ever.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    given = arguments()
    chosen = [items.find(name) for name in given.items] or list(items.ITEMS)
    settings = measure.Settings(
        aviary=os.path.abspath(given.aviary), rounds=given.rounds or (3 if given.quick else 9),
        turn_seconds=0.15 if given.quick else 0.7, threads=len(os.sched_getaffinity(0)))
    about = report.environment(settings)
    if about["load_at_start"] > 0.5:
        print(f"compare: the machine is not idle (load {about['load_at_start']:.2f}): expect noise", file=sys.stderr)
    results, failed = [], False
    for item in chosen:
        try:
            for result in results_of(item, settings, [False, True] if given.busy else [False]):
                results.append(result)
                failed |= bool(result.disagreeing) or result.ratio is None
                # After every result, so that a long run that is broken off leaves what it has.
                report.write(given.output, about, results)
        except players.Failure as failure:
            print(f"compare: {item.name} failed: {failure}", file=sys.stderr)
            failed = True
    print(report.markdown(about, results), end="")
    print(f"compare: written to {given.output}/report.md and report.json", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
