from metarl.cli import main
from metarl.recipes import load_recipe, pretrained_names, recipe_names
from metarl.recipes.settings import settings_of
from metarl.runs import RunFolder

TINY = ("--meta-batch-size", "2", "--episodes-per-task", "2", "--max-episode-steps", "4")


def test_all_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in recipe_names())


def test_one_recipe_is_told_in_full(capsys):
    assert main(["recipes", "ml1-reach"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    recipe = load_recipe("ml1-reach")
    for text in (
        *(recipe.title, recipe.why, recipe.time, recipe.note),
        *("inner_lr: 0.05", "results/ml1-reach.md", "scripts/result_card.py ml1-reach"),
        "adaptation_lrs: [0.0, 0.0005, 0.002, 0.01, 0.05, 0.2]",
    ):
        assert text.strip() in told


def test_a_recipe_trains_with_its_settings_and_those_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = ("--total-timesteps", "1", "--num-workers", "0", "--seed", "4")
    words = ["train", "--recipe", "navigation", "--variant", "control", *TINY, *short]
    assert main(words) == 0
    agent_type, settings = settings_of(RunFolder("runs/navigation-control-seed4"))
    assert agent_type.algorithm == "maml"
    assert (settings.agent.inner_lr, settings.agent.adaptation_lr) == (0.0, 0.1)
    assert (settings.agent.meta_batch_size, settings.max_episode_steps) == (2, 4)
    assert settings.benchmark_seed == load_recipe("navigation").run["benchmark_seed"]


def test_wrong_names_are_refused_with_the_nearest(refused):
    assert "did you mean navigation" in refused("train", "--recipe", "navigaton")
    assert "known: control, maml" in refused("train", "--recipe", "navigation", "--variant", "x")
    assert "metarl recipes" in refused("train", "--recipe")
    assert "--variant: got none" in refused("train", "--recipe", "navigation", "--variant")
    assert "ml1-reach" in refused("recipes", "ml1-reech")


def test_pretrained_policies_are_listed_and_copied(tmp_path, monkeypatch, capsys, refused):
    monkeypatch.chdir(tmp_path)
    assert main(["pretrained"]) == 0
    assert all(name in capsys.readouterr().out for name in pretrained_names()[:1])
    name = pretrained_names()[0]
    assert main(["pretrained", name]) == 0
    assert RunFolder(tmp_path / "runs" / name).latest_checkpoint().is_dir()
    assert "isn't empty" in refused("pretrained", name)
    capsys.readouterr()
    assert main(["pretrained", name, "--run", "with space"]) == 0
    assert capsys.readouterr().out.endswith("next: metarl evaluate 'with space'\n")


def test_only_finite_families_have_new_goals(evaluated, refused):
    said = refused("evaluate", evaluated, "--split", "new-goals", "--num-workers", "0")
    assert "all of them new" in said
