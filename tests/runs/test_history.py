from datetime import datetime

import pytest

from metarl.runs.history import History


def test_entries_come_back_in_order_with_their_time(tmp_path):
    history = History(tmp_path / "history.jsonl")
    assert history.entries() == []
    history.add("begun")
    history.add("resumed", iteration=3, changes=["torch"])
    first, second = history.entries()
    assert first["event"] == "begun"
    assert (second["event"], second["iteration"], second["changes"]) == ("resumed", 3, ["torch"])
    assert datetime.fromisoformat(first["time"]).tzinfo is not None


@pytest.mark.parametrize("torn", ['{"event": "beg', "\xff", "[1]", ""])
def test_the_torn_line_of_a_killed_writer_costs_itself_alone(tmp_path, torn):
    history = History(tmp_path / "history.jsonl")
    history.add("begun")
    with history.path.open("a") as file:
        file.write(torn)
    history.add("resumed")
    assert [entry["event"] for entry in history.entries()] == ["begun", "resumed"]
