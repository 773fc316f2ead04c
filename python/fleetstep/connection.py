"""One engine process: started, greeted, stepped, ended. The other side of the protocol is ``bridge/protocol.ts``.

Observations and all that goes with them lie in a file without a name that both sides have open: the engine writes it, Python maps it. A
step is a message of a few bytes each way.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import EngineDied, EngineRefused, FleetstepError
from .version import __version__

PROTOCOL = 1
HELLO = "fleetstep env-server"

_STEP, _RESET, _REPLAY = 1, 2, 3
_DONE, _ENDED, _FAILED, _TOLD = 0, 1, 2, 3

#: In place of a seed: the next episode of the seed that the environment has; and: not reset at all.
GO_ON, LEAVE = -1.0, -2.0

_KINDS = {"f64": np.float64, "f32": np.float32, "i32": np.int32, "u8": np.uint8}

#: How much of what the engine wrote to stderr is shown.
_LAST_BYTES = 4000
_LAST_LINES = 12

#: Seconds for the engine to end by itself; it does so at once.
_GRACE = 2.0

_living: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class Connection:
    """An engine with ``num_envs`` environments of its own.

    Args:
        command: the engine's command, as ``engine_command`` gives it
        request: what is asked for, in the protocol's names
        named: keep the shared file in a folder, under a name, even where files without names can be had
    """

    def __init__(self, command: Sequence[str], request: Mapping[str, Any], named: bool = False) -> None:
        if sys.byteorder != "little" or os.name != "posix":
            raise FleetstepError(f"fleetstep runs on Linux and macOS, on little-endian machines; this is {sys.platform}")
        self.num_envs = int(request["numEnvs"])
        self.welcome: dict[str, Any] = {}
        self._broken: str | None = None
        self._messages = _Messages(self.num_envs)
        # On disk and without a name: no thread must empty it, and nobody must remove it.
        self._stderr = tempfile.TemporaryFile()
        try:
            # A session of its own: Ctrl-C is for Python, which then closes the engine.
            self._process = subprocess.Popen(
                [*command, "env-server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise FleetstepError(f"cannot start the engine with {list(command)!r}: {error}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        self._finalizer = weakref.finalize(self, _end, self._process, self._stderr, os.getpid())
        _living.add(self)
        try:
            self._write_line({"hello": HELLO, "protocol": PROTOCOL, "version": __version__, **request})
            self.welcome = self._read_line()
            self._check_welcome()
            self._memory = self._share(int(self.welcome["bytes"]), named)
        except BaseException:
            self.close()
            raise
        self.arrays = self._views()

    # ------------------------------------------------------------ what the environments do

    def send_step(self, actions: np.ndarray[Any, Any]) -> None:
        """Sends actions that have been checked, ``[num_envs]`` integers; ``receive`` waits for the answer."""
        self._messages.actions[:] = actions
        self._send(self._messages.step)

    def send_reset(self, seeds: np.ndarray[Any, Any]) -> None:
        """Sends a seed, ``GO_ON`` or ``LEAVE`` for each environment, ``[num_envs]`` float64."""
        self._messages.seeds[:] = seeds
        self._send(self._messages.reset)

    def receive(self) -> bool:
        """Waits until the engine has done what was sent. Returns whether an episode has ended.

        Raises:
            EngineDied: its process has ended
        """
        try:
            reply = os.read(self._from, 1)
        except BaseException as error:
            # Interrupted: the answer would be taken for that of the next call.
            self._broken = self._broken or f"a call was interrupted ({type(error).__name__})"
            raise
        if reply == b"\0":
            return False
        if reply == b"\1":
            return True
        if reply == b"":
            self._fail_dead()
        body = self._read_body()
        if reply[0] == _FAILED:
            raise EngineRefused(body["code"], body["message"])
        raise self._confused(f"it answered {reply!r} with {body!r}")

    def replay(self, seed: int, tape: np.ndarray[Any, Any]) -> float:
        """Starts anew from ``seed`` and plays ``tape``, ``[steps, num_envs]``, within the engine: its own speed.

        Returns:
            the seconds that the steps took; observations are those after the last one
        """
        steps = np.ascontiguousarray(tape, dtype=np.int32)
        head = np.array([_REPLAY, len(steps)], dtype=np.int32).tobytes()
        self._send(memoryview(head + np.float64(seed).tobytes() + steps.tobytes()))
        reply = self._read_exactly(1)
        body = self._read_body()
        if reply[0] != _TOLD:
            raise EngineRefused(body["code"], body["message"])
        return float(body["seconds"])

    @property
    def pid(self) -> int:
        """Process id of what was started."""
        return self._process.pid

    def close(self, why: str = "it was closed") -> None:
        """Ends the engine. Views of the shared memory stay valid. Calling it again does nothing."""
        self._broken = self._broken or why
        self._finalizer()

    # ------------------------------------------------------------ greeting

    def _check_welcome(self) -> None:
        welcome = self.welcome
        if "error" in welcome:
            error = welcome["error"]
            raise EngineRefused(str(error.get("code")), str(error.get("message")))
        if welcome.get("protocol") != PROTOCOL:
            raise EngineRefused(
                "ERR_BRIDGE_VERSION",
                f"the engine is version {welcome.get('version')} (protocol {welcome.get('protocol')}), the Python package "
                f"{__version__} (protocol {PROTOCOL}): install the same version of both",
            )

    def _share(self, size: int, named: bool) -> mmap.mmap:
        """Maps a file of ``size`` bytes that the engine has open, too. Its name is gone when this returns."""
        if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd") and not named:
            fd = os.memfd_create("fleetstep")
            try:
                self._write_line({"file": f"/proc/{os.getpid()}/fd/{fd}", "remove": False})
                return self._open_both(fd, size)
            finally:
                os.close(fd)
        folder = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
        name = os.path.join(folder, f"fleetstep-{os.getpid()}-{os.urandom(8).hex()}")
        # The engine knows the name before there is a file: whoever is left removes it.
        self._write_line({"file": name, "remove": True})
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            return self._open_both(fd, size)
        finally:
            os.close(fd)
            try:
                os.unlink(name)
            except FileNotFoundError:
                pass

    def _open_both(self, fd: int, size: int) -> mmap.mmap:
        # In full, now: a page that cannot be had later on is no exception but the end of the process (SIGBUS).
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size)
            else:
                left = size
                while left > 0:
                    left -= os.write(fd, bytes(min(left, 1 << 20)))
        except OSError as error:
            raise FleetstepError(
                f"cannot reserve {size / 2**20:.1f} MiB of shared memory ({error}): use fewer environments, or without pairs"
            ) from error
        memory = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        self._write_line({"ready": True})
        self.welcome.update(self._read_line())
        self._check_welcome()
        return memory

    def _views(self) -> dict[str, np.ndarray[Any, Any]]:
        views = {}
        for name, place in self.welcome["fields"].items():
            count = math.prod(place["shape"])
            flat = np.frombuffer(self._memory, _KINDS[place["kind"]], count, place["offset"])
            views[name] = flat.reshape(place["shape"])
        return views

    # ------------------------------------------------------------ bytes

    def _send(self, message: memoryview) -> None:
        if self._broken is not None:
            self._fail_broken()
        try:
            sent = os.write(self._to, message)
            while sent < len(message):
                sent += os.write(self._to, message[sent:])
        except BrokenPipeError:
            self._fail_dead()
        except BaseException as error:
            self._broken = f"a call was interrupted ({type(error).__name__})"
            raise

    def _write_line(self, value: Mapping[str, Any]) -> None:
        try:
            text = json.dumps(_plain(value, ""), allow_nan=False)
        except ValueError as error:
            raise ValueError(f"the scenario holds a number that is none: {error}") from error
        self._send(memoryview(text.encode() + b"\n"))

    def _read_line(self) -> dict[str, Any]:
        pieces = []
        while not pieces or not pieces[-1].endswith(b"\n"):
            piece = os.read(self._from, 1 << 20)
            if piece == b"":
                if pieces:
                    break
                self._fail_dead()
            pieces.append(piece)
        text = b"".join(pieces)
        try:
            line = json.loads(text)
            if not isinstance(line, dict):
                raise ValueError("no object")
            return line
        except ValueError:
            raise self._confused(f"it said {text[:200]!r}, expected one JSON object of protocol {PROTOCOL}") from None

    def _read_body(self) -> dict[str, Any]:
        (length,) = np.frombuffer(self._read_exactly(4), np.int32)
        body: dict[str, Any] = json.loads(self._read_exactly(int(length)))
        return body

    def _read_exactly(self, count: int) -> bytes:
        pieces = b""
        while len(pieces) < count:
            piece = os.read(self._from, count - len(pieces))
            if piece == b"":
                self._fail_dead()
            pieces += piece
        return pieces

    # ------------------------------------------------------------ faults

    def _confused(self, what: str) -> FleetstepError:
        self._broken = what
        return FleetstepError(f"the engine ({' '.join(map(str, self._process.args))}) does not speak the protocol: {what}")

    def _fail_broken(self) -> None:
        raise EngineDied(f"the engine is gone: {self._broken}. Make a new environment")

    def _fail_dead(self) -> None:
        """Says how the process ended and what it said last."""
        try:
            code = self._process.wait(timeout=0.5)
            ended = _code_in_words(code)
        except subprocess.TimeoutExpired:
            ended = "closed its side"
        said = self._last_lines()
        self._broken = f"its process {ended}"
        self.close()
        raise EngineDied(f"the engine's process {ended}{said}")

    def _last_lines(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _LAST_BYTES))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        if not lines:
            return "; it wrote nothing to stderr"
        return "; its last lines were:\n" + "\n".join(f"  {line}" for line in lines)


class _Messages:
    """Memory for messages, made once: the numbers of each start at a multiple of eight bytes."""

    def __init__(self, num_envs: int) -> None:
        self.step, self.actions = _message(_STEP, num_envs, np.int32)
        self.reset, self.seeds = _message(_RESET, num_envs, np.float64)


def _message(kind: int, count: int, dtype: Any) -> tuple[memoryview, np.ndarray[Any, Any]]:
    memory = np.zeros(8 + count * np.dtype(dtype).itemsize, np.uint8)
    memory[:8].view(np.int32)[:] = (kind, count)
    return memoryview(memory), memory[8:].view(dtype)


def _code_in_words(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _end(process: subprocess.Popen[bytes], stderr: Any, owner: int) -> None:
    """Ends the engine by the end of its input; kills it if that is not enough."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    stderr.close()
    # A forked child has closed its copies; the process is its parent's.
    if os.getpid() != owner:
        return
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _after_fork() -> None:
    """A child that held the pipes would keep the engine alive after its parent's death, and mix its messages with the parent's."""
    for connection in list(_living):
        connection._broken = "it belongs to the process that this one was forked from"
        connection._finalizer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _plain(value: Any, path: str) -> Any:
    """``value`` as JSON has it: NumPy's numbers as Python's, and infinity as the word that scenario files have for it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{k}]") for k, item in enumerate(value)]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), path)
    if isinstance(value, np.generic):
        return _plain(value.item(), path)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value == math.inf and isinstance(value, float):
        return "Infinity"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}: it must be a number")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{path} is a {type(value).__name__}: it must be a number, a string, a list or a dict")
