"""Processes that die, engines that are others, memory that is short: a clear error, no orphan, no file.

The number of kills is that of FLEETSTEP_TEST_SIZE: 6, or 50 each way where it is "full".
"""

from __future__ import annotations

import glob
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from functools import partial
from pathlib import Path

import numpy as np

import fleetstep
from fleetstep import connection, vector_env
from support import SHORT

KILLS = 50 if os.environ.get("FLEETSTEP_TEST_SIZE") == "full" else 6

#: Longer than any machine needs: what is waited for must come, the time is not the claim.
PATIENCE = 60.0


def is_alive(pid: int) -> bool:
    try:
        # A zombie is dead; only its parent has not looked.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: object, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.005)


def files_of(pid: int) -> list[str]:
    return glob.glob(f"/dev/shm/fleetstep-{pid}-*") + glob.glob(f"{tempfile.gettempdir()}/fleetstep-{pid}-*")


def noting(note: str) -> list[str]:
    """The engine's command, which notes its process id as soon as it runs."""
    command = " ".join(map(shlex.quote, fleetstep.engine_command()))
    return ["sh", "-c", f'echo $$ >> {shlex.quote(note)}; exec {command} "$@"', "sh"]


class Killed(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.random = random.Random(20)

    def test_a_killed_engine_is_a_clear_error_and_leaves_nothing(self) -> None:
        whole = connection.Connection
        self.addCleanup(setattr, vector_env, "Connection", whole)
        longest = 0.0
        for k in range(KILLS):
            vector_env.Connection = partial(whole, named=k % 2 == 1)  # type: ignore[assignment]
            note = os.path.join(self.folder, f"engine-{k}")
            delay = self.random.uniform(0, 0.5)
            killed: list[float] = []

            def kill(note: str = note, delay: float = delay, killed: list[float] = killed) -> None:
                wait_until(lambda: os.path.exists(note) and os.path.getsize(note) > 0, "the engine's process id")
                time.sleep(delay)
                os.kill(int(Path(note).read_text().split()[0]), signal.SIGKILL)
                killed.append(time.monotonic())

            thread = threading.Thread(target=kill)
            thread.start()
            with self.subTest(k), self.assertRaisesRegex(fleetstep.EngineDied, "was killed by SIGKILL"):
                envs = fleetstep.make_vec(SHORT, 8, 1, workers=1 + k % 3, engine=noting(note))
                try:
                    envs.reset()
                    while True:
                        envs.step(np.zeros(8, np.int64))
                finally:
                    # All engines have ended by then.
                    for pid in envs.worker_pids:
                        self.assertFalse(is_alive(pid))
                    with self.assertRaisesRegex(fleetstep.EngineDied, "is gone"):
                        envs.reset()
                    envs.close()
            if killed:
                longest = max(longest, time.monotonic() - killed[0])
            thread.join()
            for pid in map(int, Path(note).read_text().split()):
                wait_until(lambda pid=pid: not is_alive(pid), f"the end of engine {pid}")
            self.assertEqual(files_of(os.getpid()), [])
        print(f"{KILLS} engines killed: told after at most {longest:.2f} s", file=sys.stderr)

    def test_a_killed_python_ends_its_engines_and_leaves_nothing(self) -> None:
        program = (
            "import sys, numpy as np, fleetstep\n"
            "from functools import partial\n"
            "from fleetstep import connection, vector_env\n"
            "vector_env.Connection = partial(connection.Connection, named=sys.argv[2] == '1')\n"
            "from test_faults import noting\n"
            "from support import SHORT\n"
            "envs = fleetstep.make_vec(SHORT, 8, 1, workers=2, engine=noting(sys.argv[1]))\n"
            "envs.reset()\n"
            "while True: envs.step(np.zeros(8, np.int64))\n"
        )
        for k in range(KILLS):
            note = os.path.join(self.folder, f"python-{k}")
            child = subprocess.Popen(
                [sys.executable, "-c", program, note, str(k % 2)], cwd=os.path.dirname(__file__), stderr=subprocess.DEVNULL
            )
            wait_until(lambda note=note: os.path.exists(note) and os.path.getsize(note) > 0, "the engine's process id")
            time.sleep(self.random.uniform(0, 0.7))
            self.assertIsNone(child.poll())
            child.kill()
            child.wait()
            for pid in map(int, Path(note).read_text().split()):
                wait_until(lambda pid=pid: not is_alive(pid), f"the end of engine {pid}")
            wait_until(lambda child=child: files_of(child.pid) == [], "the end of its files")

    def test_what_the_engine_said_last_is_in_the_error(self) -> None:
        engine = [sys.executable, "-c", "import sys; sys.exit('line one\\nthe disk is on fire')"]
        with self.assertRaisesRegex(fleetstep.EngineDied, "(?s)exit code 1; its last lines were:.*the disk is on fire"):
            fleetstep.make_vec("geneva", engine=engine)

    def test_a_closed_or_interrupted_environment_says_so(self) -> None:
        envs = fleetstep.make_vec("geneva", 2, 1)
        envs.reset()
        envs.close()
        envs.close()
        with self.assertRaisesRegex(fleetstep.EngineDied, "it was closed"):
            envs.step([0, 0])
        envs = fleetstep.make_vec("geneva", 2, 1)
        envs.reset()
        read = os.read

        def interrupted(fd: int, count: int) -> bytes:
            raise KeyboardInterrupt

        os.read = interrupted  # type: ignore[assignment]
        try:
            with self.assertRaises(KeyboardInterrupt):
                envs.step([0, 0])
        finally:
            os.read = read
        with self.assertRaisesRegex(fleetstep.EngineDied, "interrupted"):
            envs.step([0, 0])
        envs.close()

    def test_an_environment_that_is_dropped_ends_its_engine(self) -> None:
        envs = fleetstep.make_vec("geneva", 2, 1)
        (pid,) = envs.worker_pids
        self.assertTrue(is_alive(pid))
        del envs
        wait_until(lambda: not is_alive(pid), "the engine's end")

    @unittest.skipUnless(hasattr(os, "fork"), "this system does not fork")
    def test_a_forked_child_neither_uses_nor_keeps_the_engine(self) -> None:
        envs = fleetstep.make_vec("geneva", 2, 1)
        before = envs.reset()[0]
        (pid,) = envs.worker_pids
        child = os.fork()
        if child == 0:
            try:
                envs.step([0, 0])
            except fleetstep.EngineDied as error:
                if "forked from" in str(error):
                    # Outlives the parent's environment.
                    time.sleep(PATIENCE)
            os._exit(1)
        try:
            np.testing.assert_array_equal(envs.reset(seed=1)[0], before)
            envs.close()
            self.assertFalse(is_alive(pid))
            self.assertTrue(is_alive(child))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Others(unittest.TestCase):
    def refused(self, engine: list[str], error: type[Exception], message: str) -> None:
        with self.assertRaisesRegex(error, message):
            fleetstep.make_vec("geneva", engine=engine)

    def test_another_version_is_refused_by_either_side(self) -> None:
        theirs = "print('{\"protocol\": 99, \"version\": \"9.9.9\"}', flush=True); input()"
        self.refused([sys.executable, "-c", theirs], fleetstep.EngineRefused, r"engine is version 9.9.9 \(protocol 99\)")
        version = connection.__version__
        self.addCleanup(setattr, connection, "__version__", version)
        connection.__version__ = "7.0.0"
        with self.assertRaisesRegex(fleetstep.EngineRefused, "Python package is version 7.0.0.*install the same version"):
            fleetstep.make_vec("geneva")
        # Versions that differ in their last number alone go together.
        connection.__version__ = ".".join([*version.split(".")[:2], "999"])
        fleetstep.make_vec("geneva").close()

    def test_a_program_that_does_not_speak_the_protocol_is_named(self) -> None:
        for said in ("hello", "[1]", "{"):
            program = f"print({said!r}, flush=True); input()"
            self.refused([sys.executable, "-c", program], fleetstep.FleetstepError, f"it said b'{'.' if said == '[1]' else said[:1]}")

    def test_shared_memory_that_cannot_be_had_is_an_error_not_a_crash(self) -> None:
        reserve = os.posix_fallocate
        self.addCleanup(setattr, os, "posix_fallocate", reserve)

        def full(fd: int, offset: int, size: int) -> None:
            raise OSError(28, "No space left on device")

        os.posix_fallocate = full  # type: ignore[assignment]
        with self.assertRaisesRegex(fleetstep.FleetstepError, "MiB of shared memory .*No space left.*fewer environments"):
            fleetstep.make_vec("geneva", 4)
        self.assertEqual(files_of(os.getpid()), [])

    def test_a_named_file_does_as_well(self) -> None:
        request = {
            "scenario": "geneva", "data": None, "numEnvs": 2, "firstEnv": 0, "observation": "classic",
            "autoresetMode": "NEXT_STEP", "split": "training", "pairs": False,
        }  # fmt: skip
        ways = [connection.Connection(fleetstep.engine_command(), request, named) for named in (False, True)]
        self.assertEqual(files_of(os.getpid()), [])
        for way in ways:
            way.send_reset(np.array([1.0, 1.0]))
            self.assertFalse(way.receive())
        np.testing.assert_array_equal(*(way.arrays["observations"] for way in ways))
        self.assertTrue(ways[0].arrays["observations"].any())
        for way in ways:
            way.close()


if __name__ == "__main__":
    unittest.main()
