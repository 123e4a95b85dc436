import yaml

from metarl.cli import main
from metarl.cli.repeating import command_of, evaluation_command


def test_the_command_of_a_run_trains_the_same_again(trained, tmp_path):
    config = yaml.safe_load((trained / "config.yaml").read_text())
    command = command_of(config).split()
    assert command[:3] == ["metarl", "train", "maml"]
    again = tmp_path / "again"
    assert main([*command[1:], "--num-workers", "0", "--run", str(again)]) == 0
    assert yaml.safe_load((again / "config.yaml").read_text()) == config


def test_the_command_of_an_evaluation_names_what_differs_from_the_default(evaluated):
    assert evaluation_command(evaluated) == (
        f"metarl evaluate {evaluated} --num-tasks 10 --num-adaptation-steps 1 "
        "--adaptation-episodes 5 --controls pretrained untrained"
    )
