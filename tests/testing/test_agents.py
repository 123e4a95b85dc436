from functools import partial

import numpy as np
import pytest
import torch

from metarl.agents import ALGORITHMS
from metarl.agents.maml import MAML
from metarl.testing import check_agent

SMALL = {"meta_batch_size": 2, "episodes_per_task": 2, "hidden_sizes": (4,)}


def spoilt(**methods):
    return type("Spoilt", (MAML,), {"algorithm": "spoilt", **methods})


def skips_counting(self):
    figures = MAML.train_iteration(self)
    self.num_timesteps = 7
    return figures


def uses_global_noise(self):
    figures = MAML.train_iteration(self)
    self.meta_params = {n: v + torch.randn(()) for n, v in self.meta_params.items()}
    return figures


def learns_nothing(self):
    before = self.meta_params
    figures = MAML.train_iteration(self)
    self.meta_params = before
    return figures


def depends_on_workers(self):
    figures = MAML.train_iteration(self)
    several = self.num_workers > 1
    self.meta_params = {n: v + several for n, v in self.meta_params.items()}
    return figures


def forgets_its_iteration(self, *arguments):
    MAML._restore(self, *arguments)
    self.iteration = 0


def accepts_all(cls, path, benchmark, **settings):
    return super(MAML, cls).load(path, benchmark, accept_changes=True, **settings)


def never_stops(self):
    pass


def adapts_in_place(self, policy, support):
    after = MAML.adapt_step(self, policy, support)
    self.meta_params = {n: v + 1 for n, v in self.meta_params.items()}
    return after


def leaves_the_space(self, observation, *arguments, **settings):
    action, state = MAML.predict(self, observation, *arguments, **settings)
    return action + 10, state


def test_maml_is_in_order():
    report = check_agent(partial(MAML, **SMALL))
    assert report.faults == []
    assert len(report.checks) == 10


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"maml"}))
def test_every_algorithm_is_in_order(algorithm):
    assert check_agent(partial(ALGORITHMS[algorithm], **SMALL)).faults == []


@pytest.mark.parametrize(
    ("methods", "check"),
    [
        ({"train_iteration": skips_counting}, "counts, calls back and ends"),
        ({"train_iteration": learns_nothing}, "learns"),
        ({"train_iteration": uses_global_noise}, "one seed, one result"),
        ({"train_iteration": depends_on_workers}, "workers make no difference"),
        ({"_restore": forgets_its_iteration}, "what is saved goes on to the same bits"),
        ({"load": classmethod(accepts_all)}, "damaged and foreign files are refused"),
        ({"adapt_step": adapts_in_place}, "adapting leaves the agent alone"),
        ({"predict": leaves_the_space}, "acts within the action space"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_found_by_its_own_check(methods, check, monkeypatch):
    from metarl.testing import agents

    # One check each: all ten of them for every spoilt agent would take long.
    monkeypatch.setattr(agents, "_CHECKS", {check: agents._CHECKS[check]})
    report = check_agent(partial(spoilt(**methods), **SMALL))
    assert report.checks[check], str(report)
    assert np.all([fault.startswith(check) for fault in report.faults])


def test_an_agent_that_cannot_be_stopped_is_found(monkeypatch):
    from metarl.testing import agents

    def three(self, total_timesteps, callback=None, progress_bar=False):
        self.request_stop = lambda: None
        calls = []

        def limited(agent, figures):
            calls.append(callback(agent, figures))
            return calls[-1] is not False and len(calls) < 3

        return MAML.learn(self, total_timesteps, limited)

    monkeypatch.setattr(agents, "_CHECKS", {"stops when asked": agents._CHECKS["stops when asked"]})
    report = check_agent(partial(spoilt(learn=three), **SMALL))
    assert any("it took 3" in fault for fault in report.faults), str(report)
