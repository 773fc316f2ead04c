"""The vector environment beside Gymnasium's own SyncVectorEnv over single ones: the same in each autoreset mode, to the last bit."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import fleetstep
from support import SHORT, some_actions

N = 4
SEED = 11
STEPS = 90


class Same(unittest.TestCase):
    def same_infos(self, ours: dict[str, Any], theirs: dict[str, Any], where: str = "infos") -> None:
        """The same keys, the same environments have them, and there they are equal."""
        self.assertEqual(set(ours), set(theirs), where)
        for key, value in theirs.items():
            if key.startswith("_"):
                np.testing.assert_array_equal(ours[key], value, f"{where}[{key}]")
            elif isinstance(value, dict):
                self.same_infos(ours[key], value, f"{where}[{key}]")
            else:
                present = theirs[f"_{key}"]
                self.assertEqual(ours[key].dtype, value.dtype, f"{where}[{key}]")
                for e in np.flatnonzero(present):
                    np.testing.assert_array_equal(ours[key][e], value[e], f"{where}[{key}][{e}]")
                if value.dtype == object:
                    self.assertEqual([one is None for one in ours[key]], [one is None for one in value])

    def same(self, ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
        for k in range(len(theirs) - 1):
            self.assertEqual(ours[k].dtype, theirs[k].dtype)
            np.testing.assert_array_equal(ours[k], theirs[k])
        self.same_infos(ours[-1], theirs[-1])


class BesideSyncVectorEnv(Same):
    def play(self, mode: AutoresetMode, workers: int, copy: bool) -> int:
        ours = fleetstep.make_vec(SHORT, N, workers=workers, autoreset_mode=mode, copy=copy)
        theirs = SyncVectorEnv(
            [lambda e=e: fleetstep.DispatchEnv(SHORT, first_env=e) for e in range(N)], autoreset_mode=mode
        )
        self.assertEqual(ours.single_observation_space, theirs.single_observation_space)
        self.assertEqual(ours.action_space, theirs.action_space)
        self.assertEqual(ours.metadata["autoreset_mode"], theirs.metadata["autoreset_mode"])
        results = theirs.reset(seed=[SEED] * N)
        self.same(ours.reset(seed=SEED), results)
        ends = 0
        done = np.zeros(N, bool)
        for t in range(STEPS):
            masks = np.stack([env.get_wrapper_attr("_info")()["action_mask"] for env in theirs.envs])
            actions = some_actions(masks, t)
            if mode is AutoresetMode.DISABLED and done.any():
                with self.assertRaisesRegex(ResetNeeded, "have ended"):
                    ours.step(actions)
                again = theirs.reset(options={"reset_mask": done.copy()})
                self.same(ours.reset(options={"reset_mask": done}), again)
                done[:] = False
                continue
            results = theirs.step(actions)
            self.same(ours.step(actions), results)
            done = results[2] | results[3]
            ends += int(done.sum())
            if t == STEPS // 2:
                # From the middle of episodes on: some with seeds, some go on.
                seeds = [5, None, 6, None]
                self.same(ours.reset(seed=seeds), theirs.reset(seed=seeds))
                done[:] = False
        ours.close()
        theirs.close()
        return ends

    def test_each_mode_any_workers_copied_or_not(self) -> None:
        for mode in AutoresetMode:
            for workers, copy in ((1, True), (3, mode is AutoresetMode.DISABLED)):
                with self.subTest(mode=mode, workers=workers, copy=copy):
                    self.assertGreater(self.play(mode, workers, copy), 2 * N)


class Turns(Same):
    def test_send_and_recv_give_what_step_gives(self) -> None:
        for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            whole = fleetstep.make_vec(SHORT, N + 1, SEED, autoreset_mode=mode)
            turns = fleetstep.make_vec(SHORT, N + 1, SEED, workers=2, autoreset_mode=mode)
            _, infos = whole.reset()
            turns.send_reset()
            masks = {}
            for _ in range(2):
                observations, *_, own = turns.recv()
                masks[tuple(own["env_id"])] = own["action_mask"]
                turns.send(some_actions(own["action_mask"], 0, own["env_id"][0]))
            self.assertEqual(sorted(sum(masks, ())), list(range(N + 1)))
            for t in range(40):
                results = whole.step(some_actions(infos["action_mask"], t))
                infos = results[4]
                for _ in range(2):
                    part = turns.recv()
                    ids = part[4].pop("env_id")
                    for k in range(4):
                        np.testing.assert_array_equal(part[k], results[k][ids])
                    np.testing.assert_array_equal(part[4]["action_mask"], infos["action_mask"][ids])
                    turns.send(some_actions(part[4]["action_mask"], t + 1, ids[0]))
            whole.close()
            turns.close()

    def test_calls_out_of_turn_are_refused(self) -> None:
        envs = fleetstep.make_vec(SHORT, 4, SEED, workers=2)
        with self.assertRaisesRegex(fleetstep.FleetstepError, "nothing to wait for"):
            envs.recv()
        with self.assertRaisesRegex(fleetstep.FleetstepError, "call send_reset"):
            envs.send([0, 0])
        envs.send_reset()
        with self.assertRaisesRegex(fleetstep.FleetstepError, r"step\(\) while 2 workers have results"):
            envs.step([0, 0, 0, 0])
        envs.recv()
        with self.assertRaisesRegex(ValueError, r"expected \(2,\)"):
            envs.send([0, 0, 0, 0])
        envs.close()


class Memory(unittest.TestCase):
    def test_copies_are_the_callers_own(self) -> None:
        envs = fleetstep.make_vec(SHORT, 2, SEED)
        observations, infos = envs.reset()
        kept = observations.copy(), infos["action_mask"].copy()
        envs.step([1, 1])
        np.testing.assert_array_equal(observations, kept[0])
        np.testing.assert_array_equal(infos["action_mask"], kept[1])
        observations[:] = 0
        envs.close()

    def test_without_copies_arrays_are_rewritten_and_read_only(self) -> None:
        envs = fleetstep.make_vec(SHORT, 2, SEED, copy=False)
        observations, infos = envs.reset()
        before = observations.copy()
        for array in (observations, infos["action_mask"]):
            self.assertFalse(array.flags.writeable)
        self.assertIs(envs.step([0, 0])[0], observations)
        self.assertFalse(np.array_equal(before, observations))
        envs.close()
        # The memory outlives the engine.
        self.assertEqual(observations.shape, before.shape)

    def test_final_rows_stay_when_their_environments_go_on(self) -> None:
        envs = fleetstep.make_vec(SHORT, 3, SEED, autoreset_mode=AutoresetMode.SAME_STEP, copy=False)
        same = fleetstep.make_vec(SHORT, 3, SEED, autoreset_mode=AutoresetMode.NEXT_STEP)
        _, infos = envs.reset()
        same.reset()
        done = np.zeros(3, bool)
        t = 0
        while not done.all():
            actions = np.zeros(3, np.int64)
            *_, infos = envs.step(actions)
            observations, _, _, truncated, told = same.step(actions)
            done = truncated
            t += 1
        self.assertEqual(t, 5)
        finals, masks = infos["final_obs"], infos["final_info"]["action_mask"]
        envs.step(np.zeros(3, np.int64))
        for e in range(3):
            np.testing.assert_array_equal(finals[e], observations[e])
            np.testing.assert_array_equal(masks[e], told["action_mask"][e])
        envs.close()
        same.close()


class Seeds(unittest.TestCase):
    def test_without_a_seed_the_next_episodes_follow(self) -> None:
        envs = fleetstep.make_vec(SHORT, 2, 9)
        first, second = envs.reset()[0], envs.reset()[0]
        self.assertFalse(np.array_equal(first, second))
        np.testing.assert_array_equal(envs.reset(seed=9)[0], first)
        np.testing.assert_array_equal(envs.reset()[0], second)
        envs.close()

    def test_an_environment_depends_on_its_number_alone(self) -> None:
        envs = fleetstep.make_vec(SHORT, 5, 9, workers=2)
        part = fleetstep.make_vec(SHORT, 2, 9, first_env=3)
        np.testing.assert_array_equal(envs.reset()[0][3:], part.reset()[0])
        envs.close()
        part.close()


if __name__ == "__main__":
    unittest.main()
