"""One environment and many: spaces, what Gymnasium's checker says, what is refused, pair rows, scenarios of one's own."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
import warnings
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import fleetstep
from support import NYC, SHORT, some_actions


class OneEnvironment(unittest.TestCase):
    def test_gymnasiums_checker_has_nothing_to_say(self) -> None:
        for name, more in (("Geneva", {}), ("GenevaLive", {"observation": "classic"}), ("GenevaMedical", {}), ("NycSmall", {"data": NYC})):
            if name == "NycSmall" and NYC is None:
                continue
            with self.subTest(name), warnings.catch_warnings():
                warnings.simplefilter("error")
                env = gymnasium.make(f"fleetstep/{name}-v0", **more)
                check_env(env.unwrapped)
                env.close()

    def test_plays_an_episode_and_tells_its_figures_at_the_end(self) -> None:
        env = gymnasium.make("fleetstep/Geneva-v0")
        _, info = env.reset(seed=3)
        total, length, truncated = 0.0, 0, False
        while not truncated:
            action = env.action_space.sample(info["action_mask"])
            _, reward, terminated, truncated, info = env.step(action)
            self.assertFalse(terminated or info["invalid_action"])
            total, length = total + reward, length + 1
        self.assertEqual(info["episode"]["l"], length)
        self.assertAlmostEqual(info["episode"]["r"], total, delta=0.01)
        self.assertEqual(info["kpis"]["decisions"], length)
        with self.assertRaisesRegex(ResetNeeded, "call reset"):
            env.unwrapped.step(0)
        env.close()

    def test_an_illegal_action_is_a_wait_that_costs_and_is_flagged(self) -> None:
        env, same = fleetstep.DispatchEnv(), fleetstep.DispatchEnv()
        _, info = env.reset(seed=1)
        same.reset(seed=1)
        illegal = int(np.flatnonzero(info["action_mask"] == 0)[0])
        observation, reward, *_, info = env.step(illegal)
        waited, wait_reward, *_ = same.step(0)
        np.testing.assert_array_equal(observation, waited)
        self.assertEqual(reward - wait_reward, env.scenario["invalidActionReward"])
        self.assertTrue(info["invalid_action"])
        env.close()
        same.close()

    def test_refuses_what_is_no_action_by_name(self) -> None:
        env = fleetstep.DispatchEnv()
        env.reset(seed=1)
        for action, message in ((201, "action is 201: expected 0 to 200"), (-1, "action is -1"), (1.0, "action is 1.0")):
            with self.assertRaisesRegex((ValueError, TypeError), message):
                env.step(action)
        with self.assertRaisesRegex(ValueError, "options has 'mask'"):
            env.reset(options={"mask": 1})
        env.close()
        env.close()


class Vector(unittest.TestCase):
    def test_spaces_are_those_of_the_engine_and_hold(self) -> None:
        envs = fleetstep.make_vec("geneva", num_envs=5, seed=1)
        self.assertEqual(envs.single_action_space.n, 201)
        self.assertEqual(envs.observation_space.shape, (5, 10 * 8 + 20 * 12 + 5))
        self.assertEqual(envs.observation_shape["driverColumns"][2], "available")
        self.assertTrue(np.isfinite(envs.single_observation_space.low).all())
        self.assertTrue(np.isfinite(envs.single_observation_space.high).all())
        self.assertIs(envs.metadata["autoreset_mode"], AutoresetMode.NEXT_STEP)
        observations, infos = envs.reset()
        for t in range(250):
            self.assertIn(observations, envs.observation_space)
            self.assertEqual(infos["action_mask"].dtype, np.int8)
            observations, *_, infos = envs.step(some_actions(infos["action_mask"], t))
        envs.close()

    def test_masks_are_exact(self) -> None:
        envs = fleetstep.make_vec(SHORT, num_envs=6, seed=2)
        _, infos = envs.reset()
        ended = np.zeros(6, bool)
        for t in range(60):
            masks = infos["action_mask"]
            actions = np.array([(t * 37 + e * 5) % 201 for e in range(6)])
            _, _, terminated, truncated, infos = envs.step(actions)
            legal = masks[np.arange(6), actions] == 1
            np.testing.assert_array_equal(infos["invalid_action"], ~legal & ~ended)
            ended = terminated | truncated
        envs.close()

    def test_gymnasiums_own_make_vec_makes_them(self) -> None:
        envs = gymnasium.make_vec("fleetstep/Geneva-v0", num_envs=3, seed=4)
        self.assertIsInstance(envs.unwrapped, fleetstep.DispatchVectorEnv)
        self.assertEqual(envs.reset()[0].shape[0], 3)
        envs.close()

    def test_refuses_by_name_before_anything_crosses(self) -> None:
        envs = fleetstep.make_vec("geneva", num_envs=2, seed=1)
        with self.assertRaisesRegex(ResetNeeded, "before reset"):
            envs.step([0, 0])
        before = envs.reset()[0]
        for actions, message in (
            ([0], r"actions has shape \(1,\): expected \(2,\)"),
            ([[0, 0]], r"actions has shape \(1, 2\)"),
            ([0.0, 0.0], "actions has dtype float64: expected whole numbers"),
            ([True, False], "actions has dtype bool"),
            ([0, 201], r"actions\[1\] is 201: expected 0 to 200"),
            ([-1, 0], r"actions\[0\] is -1"),
            (np.array([0, 2**40]), r"actions\[1\] is 1099511627776"),
        ):
            with self.subTest(message), self.assertRaisesRegex((ValueError, TypeError), message):
                envs.step(actions)
        for seed, message in (
            (-1, "seed is -1: expected 0 to"),
            (1.5, "seed is 1.5: expected a whole number"),
            ([1], "seed has 1 entries: expected 2"),
            ([1, -3], r"seed\[1\] is -3"),
        ):
            with self.subTest(message), self.assertRaisesRegex((ValueError, TypeError), message):
                envs.reset(seed=seed)
        for mask, message in (
            ([True, True], "list: expected a NumPy array of bool"),
            (np.ones(2), r"float64 \(2,\)"),
            (np.zeros(2, bool), "all False"),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                envs.reset(options={"reset_mask": mask})
        with self.assertRaisesRegex(ValueError, "mask"):
            envs.reset(options={"mask": 1})
        # Nothing has moved.
        same = fleetstep.make_vec("geneva", num_envs=2, seed=1)
        np.testing.assert_array_equal(same.reset()[0], before)
        np.testing.assert_array_equal(envs.step(np.uint8([0, 0]))[0], same.step([0, 0])[0])
        envs.close()
        same.close()

    def test_refuses_what_it_cannot_be_made_from(self) -> None:
        for kwargs, message in (
            ({"scenario": "genva"}, 'unknown scenario "genva"'),
            ({"scenario": {"extends": "geneva", "drivrs": 3}}, 'did you mean "drivers"'),
            ({"scenario": {"extends": "geneva", "drivers": float("nan")}}, "scenario.drivers is nan"),
            ({"scenario": {"extends": "geneva", "drivers": object()}}, "scenario.drivers is a object"),
            ({"scenario": 3}, "scenario is a int"),
            ({"scenario": "nyc-small"}, "runs on recorded trips"),
            ({"data": "/tmp"}, "draws its demand from the seed"),
            ({"num_envs": 0}, "num_envs is 0: expected at least 1"),
            ({"workers": 2}, "workers is 2: expected 1 to 1"),
            ({"observation": "some"}, "observation is 'some': expected one of full, classic"),
            ({"split": "train"}, "split is 'train'"),
            ({"autoreset_mode": "SOMETIMES"}, "autoreset_mode is 'SOMETIMES': expected one of AutoresetMode.NEXT_STEP"),
            ({"seed": 2**40}, "seed is 1099511627776"),
            ({"engine": "/nowhere/main.js"}, "there is no such file: set FLEETSTEP_NODE="),
            ({"engine": ["no-such-program"]}, "there is no program"),
        ):
            with self.subTest(message), self.assertRaises((ValueError, TypeError, fleetstep.FleetstepError)) as caught:
                fleetstep.make_vec(**{"num_envs": 1, **kwargs})
            self.assertIn(message, str(caught.exception))


class Scenarios(unittest.TestCase):
    def test_a_dict_and_a_file_are_the_same_scenario(self) -> None:
        changes = {"extends": "geneva", "name": "mine", "drivers": np.int64(3), "lateToleranceSeconds": float("inf")}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "mine.json"
            file.write_text(json.dumps({**changes, "drivers": 3, "lateToleranceSeconds": "Infinity"}))
            envs = [fleetstep.make_vec(scenario, 2, 7) for scenario in (changes, file, os.fspath(file))]
            for env in envs:
                self.assertEqual(env.scenario["drivers"], 3)
                self.assertEqual(env.single_action_space.n, 3 * 20 + 1)
            first, *others = [env.reset()[0] for env in envs]
            for other in others:
                np.testing.assert_array_equal(first, other)
            for env in envs:
                env.close()

    def test_held_out_episodes_are_other_ones_than_those_of_training(self) -> None:
        seen = []
        for split in ("training", "validation", "test"):
            envs = fleetstep.make_vec("geneva", 2, 7, split=split)
            seen.append(envs.reset()[0].tobytes())
            envs.close()
        self.assertEqual(len(set(seen)), 3)


class Pairs(unittest.TestCase):
    def test_rows_are_the_legal_actions_in_order_with_their_features(self) -> None:
        for workers in (1, 2):
            envs = fleetstep.make_vec(
                SHORT, num_envs=5, seed=3, workers=workers, pairs=True, autoreset_mode=AutoresetMode.SAME_STEP
            )
            _, infos = envs.reset()
            finals = 0
            for t in range(80):
                pairs = infos["pairs"]
                self.assertEqual(pairs.features.shape, (pairs.offsets[-1], len(envs.pair_columns)))
                for e in range(5):
                    actions, features = pairs.of(e)
                    np.testing.assert_array_equal(actions, np.flatnonzero(infos["action_mask"][e]))
                    self.assertEqual(features[0, envs.pair_columns.index("wait")], 1)
                if "final_pairs" in infos:
                    for e in range(5):
                        actions, _ = infos["final_pairs"].of(e)
                        if infos["_final_info"][e]:
                            mask = infos["final_info"]["action_mask"][e]
                            np.testing.assert_array_equal(actions, np.flatnonzero(mask))
                            finals += 1
                        else:
                            self.assertEqual(len(actions), 0)
                infos = envs.step(some_actions(infos["action_mask"], t))[4]
            self.assertGreater(finals, 5)
            envs.close()


if __name__ == "__main__":
    unittest.main()
