"""A small environment that shows what a task sets in it."""

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.envs.gymnasium import OneOf, Uniform


class Walker(gymnasium.Env):
    """Walks on a line; everything that a task can set is in its observation."""

    def __init__(self, stride=1.0, render_mode=None):
        self.stride = stride
        self.render_mode = render_mode
        self.gains = np.ones(2, dtype=np.float32)
        self.observation_space = spaces.Dict(
            {
                "start": spaces.Box(-np.inf, np.inf, (1,), np.float32),
                "phase": spaces.Discrete(3),
                "gains": spaces.Box(-np.inf, np.inf, (2,), np.float32),
                "stride": spaces.Box(-np.inf, np.inf, (1,), np.float32),
            }
        )
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.start = np.float32((options or {}).get("start", 0.0))
        self.phase = 0
        return self._observation(), {}

    def step(self, action):
        self.phase = (self.phase + 1) % 3
        self.gains = self.gains * 2  # forgets what the task set
        return self._observation(), float(self.stride), False, False, {"is_success": True}

    def _observation(self):
        return {
            "start": np.array([self.start], dtype=np.float32),
            "phase": np.int64(self.phase),
            "gains": self.gains,
            "stride": np.array([self.stride], dtype=np.float32),
        }


WALKERS = {
    "arguments": {"stride": Uniform(0.5, 1.5)},
    "options": {"start": OneOf([-1.0, 1.0])},
    "attributes": {"gains": Uniform((0.0, 0.0), (1.0, 1.0))},
    "max_episode_steps": 4,
}
