from train.report.tables import Cell, Table, table_html, table_markdown

TABLE = Table(
    "Runs | all",
    ("run", "Dice\npositives"),
    (
        ("nano", Cell("0.812\n0.79 to 0.83", "best")),
        (Cell("a|b", class_id=2), Cell("+0.1", "worse")),
        ("c", Cell("x", "differs")),
    ),
    "A note.",
)


def test_both_forms_hold_every_value_and_interval() -> None:
    html, markdown = table_html(TABLE), table_markdown(TABLE)
    for value in ("nano", "0.812", "0.79 to 0.83", "+0.1", "A note."):
        assert value in html
        assert value in markdown


def test_a_bar_in_a_name_does_not_begin_a_column() -> None:
    lines = [line for line in table_markdown(TABLE).splitlines() if line.startswith("| ")]
    assert len(lines) == 5
    assert {line.replace("\\|", "").count("|") for line in lines} == {3}


def test_rows_and_columns_have_heads_that_are_read_out() -> None:
    html = table_html(TABLE)
    assert html.count("<th scope=row>") == 3
    assert html.count("<th scope=col>") == 2
    assert "<caption>Runs | all</caption>" in html


def test_a_colour_is_never_all_that_tells() -> None:
    html = table_html(TABLE)
    assert "<td class=worse>+0.1<span class=unseen> (worse)</span>" in html
    assert "<mark>x</mark>" in html


def test_names_never_write_the_page() -> None:
    hostile = "<script>alert(1)</script>"
    table = Table(hostile, (hostile, hostile), ((Cell(hostile), Cell(hostile)),), hostile)
    assert "<script" not in table_html(table)
    assert "<script" not in table_markdown(table).replace("\\<", "")
