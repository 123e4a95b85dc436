import pytest

from metarl.errors import ConfigError
from metarl.testing import check_metaworld_parity


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"families": ["reech-v3"]}, "families: unknown name 'reech-v3'; did you mean reach-v3"),
        ({"actions": ["experts"]}, "actions: unknown name 'experts'; did you mean expert?"),
        ({"precisions": ["float16"]}, "precisions: unknown name 'float16'; did you mean float"),
        ({"num_goals": 0}, "num_goals: got 0; must be at least 1"),
        ({"steps": 501}, "steps: got 501; Meta-World's episodes end after 500"),
        ({"num_workers": 0}, "num_workers: got 0; must be at least 1"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_metaworld_parity(**{"families": [], **settings})
