"""Processes that take turns: each is kept alive, and stopped by a signal while others are measured.

Nothing but the standard library: a child's memory figure starts at that of the process which started it, so that one must stay small.
"""

import json
import os
import select
import signal
import subprocess
import tempfile
import time


class Failure(Exception):
    """A player that could not start, or broke off."""


class Player:
    """A process that prints `ready {...}` and then answers each line with one line of JSON."""

    def __init__(self, name: str, command: list, environment: dict, limit: float):
        """Starts it; throws Failure when it is not ready after `limit` seconds."""
        self.name = name
        self._errors = tempfile.TemporaryFile()
        self._buffer = b""
        # A group of its own: the signals must reach processes that it starts.
        self._process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, start_new_session=True)
        try:
            line = self._line(limit)
            if not line.startswith(b"ready"):
                raise Failure(f"answered {line[:100]!r} instead of being ready")
            self.setup = json.loads(line.removeprefix(b"ready"))
        except BaseException:
            self.stop()
            raise
        self._signal(signal.SIGSTOP)

    def ask(self, *lines: str, limit: float = 600):
        """Wakes the process, sends it the lines, and puts it to sleep again; the last answer."""
        self._signal(signal.SIGCONT)
        try:
            for line in lines:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
                answer = json.loads(self._line(limit))
            return answer
        except BrokenPipeError:
            raise Failure(self._reason()) from None
        finally:
            self._signal(signal.SIGSTOP)

    def turn(self, iterations: int) -> list:
        """Milliseconds of each iteration; one more before them fills the caches that others used meanwhile."""
        return self.ask("1", str(iterations))

    @property
    def peak_memory(self) -> int:
        """The most bytes it ever had resident."""
        with open(f"/proc/{self._process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))

    def stop(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            try:
                file.close()
            except BrokenPipeError:
                pass

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass

    def _line(self, limit: float) -> bytes:
        end = time.monotonic() + limit
        output = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([output], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"no answer within {limit:.0f} s")
            chunk = os.read(output, 1 << 16)
            if not chunk:
                raise Failure(self._reason())
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _reason(self) -> str:
        """The last thing it said on stderr."""
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return f"ended: {lines[-1].strip()[:200] if lines else 'without a word'}"


class BusyCore:
    """While it lasts, another process keeps one core busy, pinned nowhere."""

    def __init__(self, python: str):
        self._python = python

    def __enter__(self):
        self._process = subprocess.Popen([self._python, "-c", "while True: pass"])
        time.sleep(0.2)

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


def run_once(command: list, environment: dict) -> tuple:
    """(output, wall seconds, peak bytes) of a process from its start to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        output.seek(0)
        if process.returncode != 0:
            lines = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise Failure(f"exit code {process.returncode}: {lines[-1][:200]}")
        return output.read().decode(), seconds, usage.ru_maxrss * 1024
