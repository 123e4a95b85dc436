import json

from metarl.cli import main
from metarl.cli.cards import (
    entry_of,
    finite,
    make_card,
    save_card,
)

from .conftest import evaluate, train


def test_a_card_is_written_of_a_run_and_its_controls(evaluated, tmp_path, capsys):
    assert main(["card", str(evaluated), "--output", str(tmp_path / "result")]) == 0
    assert capsys.readouterr().out.endswith(f"card: {tmp_path / 'result.md'}\n")
    assert {path.name for path in tmp_path.iterdir()} == {
        *("result.md", "result.json", "result.png", "result-training.png")
    }
    data = json.loads((tmp_path / "result.json").read_text())
    assert list(data["variants"]) == ["MAML", "pretrained", "untrained"]
    manifest = json.loads((evaluated / "manifest.json").read_text())
    assert data["manifest"] == manifest["digest"]
    assert data["variants"]["MAML"]["training_steps"] == 144
    assert data["variants"]["MAML"]["median_seconds_per_iteration"] > 0
    assert data["hardware"]["cores"] >= 1
    (curve,) = data["variants"]["MAML"]["training"]
    assert len(curve["environment_steps"]) == 2
    assert set(curve["after"]) == {"episode_return", "success_final", "success_any"}
    page = (tmp_path / "result.md").read_text()
    assert "## MAML against pretrained" in page
    assert "![training](result-training.png)" in page


def test_seeds_are_put_together_and_settings_kept_apart(tmp_path):
    runs = [
        train(tmp_path / "a", "--seed", 1),
        train(tmp_path / "b", "--seed", 2),
        train(tmp_path / "c", "--inner-lr", 0.5),
    ]
    for run in runs:
        evaluate(run)
    assert main(["card", *map(str, runs), "--output", str(tmp_path / "card")]) == 0
    variants = json.loads((tmp_path / "card.json").read_text())["variants"]
    assert {name: content["seeds"] for name, content in variants.items()} == {
        "MAML": [1, 2],
        "MAML 2": [0],
    }
    assert variants["MAML 2"]["settings"]["inner_lr"] == 0.5


def test_an_evaluation_can_write_the_card_at_once(run):
    evaluate(run, "--card")
    assert (run / "card.md").read_text().startswith("# navigation: maml")


def test_a_card_of_nothing_is_refused(refused, trained):
    assert "EvaluationError runs: got none" in refused("card")
    assert "isn't evaluated" in refused("card", trained)


def test_a_damaged_table_of_metrics_is_refused(run, refused):
    evaluate(run)
    (run / "metrics.csv").write_text("timesteps,pre/return\n100,abc\n")
    assert "metrics.csv: can't be read" in refused("card", run)


def test_iterations_without_a_number_are_left_out():
    assert finite({"time/iteration_s": [1.5, float("nan"), 2.0]}, "time/iteration_s") == [1.5, 2.0]
    assert finite({}, "time/iteration_s") == []


def test_the_largest_memory_of_all_seeds_is_told_where_it_was_recorded(run, tmp_path):
    evaluate(run)
    columns = "timesteps,memory/peak_mib,pre/return,post/return"
    (run / "metrics.csv").write_text(f"{columns}\n100,,1,2\n200,2500.4,1,2\n300,1800,1,2\n")
    assert main(["card", str(run), "--output", str(tmp_path / "result")]) == 0
    assert "MAML (2,500 MiB)" in (tmp_path / "result.md").read_text()
    (run / "metrics.csv").write_text("timesteps,pre/return\n100,1\n")
    assert entry_of([run]).peak_memory_mib is None


def test_a_run_without_metrics_has_a_card_without_curves(run, tmp_path):
    evaluate(run)
    output = tmp_path / "result"
    assert main(["card", str(run), "--output", str(output)]) == 0
    assert (tmp_path / "result-training.png").exists()
    (run / "metrics.csv").unlink()
    assert main(["card", str(run), "--output", str(output)]) == 0
    assert not (tmp_path / "result-training.png").exists()
    variants = json.loads((tmp_path / "result.json").read_text())["variants"]
    assert variants["MAML"]["training"] == []
    assert variants["MAML"]["median_seconds_per_iteration"] is None


def test_a_card_of_many_methods_is_drawn_row_by_row(evaluated, tmp_path, monkeypatch):
    monkeypatch.setattr("metarl.cli.cards.members_figure", lambda data: b"rows")
    own = entry_of([evaluated])
    entries = {f"member {number}": own for number in range(7)}
    card = make_card(
        "A family", ["command"], entries, evaluated, reasons={"member 1": "it is slow."}
    )
    save_card(card, tmp_path / "result")
    assert (tmp_path / "result.png").read_bytes() == b"rows"
    save_card(make_card("One", ["command"], {"MAML": own}, evaluated), tmp_path / "one")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
