"""Files as agents see them: names, views of lines, the section of the prompt, grep."""

import time

import pytest

from memory.logic.directories import LEFT_OUT, Directory, ListedFile, render_directories
from memory.logic.file_names import MAX_NAME_CHARS, numbered_name, safe_name
from memory.logic.grep import BadPattern, OutOfTime, compile_pattern, matches
from memory.logic.views import count_lines, view_lines

TEXT = "\n".join(f"line {n}" for n in range(1, 11))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/etc/cron.d/x.txt", "x.txt"),
        ("C:\\windows\\system32\\a.txt", "a.txt"),
        ("a\x00b.txt", "ab.txt"),
        ("..\uff0f..\uff0fetc\uff0fshadow.md", "shadow.md"),  # fullwidth slashes
        ("\u2025/\u2024\u2024/x.md", "x.md"),  # leaders that look like dots
        ("in\u202etxt.exe.md", "intxt.exe.md"),  # turns the direction of writing
        ("...", "file"),
        ("", "file"),
        ("  .hidden.md ", "hidden.md"),
        ("CON.txt", "_CON.txt"),
        ('<b>"x".md', "_b__x_.md"),
        ("new\nline.md", "newline.md"),
        ("naïve 漢字.md", "naïve 漢字.md"),
        ("x/", "x"),
    ],
)
def test_a_name_is_made_safe(given, name):
    assert safe_name(given) == name


def test_a_long_name_keeps_its_suffix():
    name = safe_name("ä" * 300 + ".docx")
    assert len(name) == MAX_NAME_CHARS and name.endswith("ä.docx")


def test_duplicates_are_numbered_before_the_suffix():
    assert numbered_name("a.md", set()) == "a.md"
    assert numbered_name("a.md", {"a.md"}) == "a_(1).md"
    assert numbered_name("a.md", {"a.md", "a_(1).md"}) == "a_(2).md"
    assert numbered_name("README", {"README"}) == "README_(1)"


def test_a_view_has_a_header_and_line_numbers_from_one():
    view = view_lines(TEXT, total=10, limit=1000)
    assert view.text.split("\n")[:2] == ["[Viewing lines 1 to 10 (out of 10 lines)]", "1: line 1"]
    assert (view.start, view.end) == (1, 10)


def test_a_view_of_a_range():
    view = view_lines(TEXT, total=10, limit=1000, start=4, length=2)
    assert view.text == "[Viewing lines 4 to 5 (out of 10 lines)]\n4: line 4\n5: line 5"
    assert view_lines(TEXT, total=10, limit=1000, start=99).text.endswith("\n10: line 10")


def test_a_view_ends_where_its_characters_end():
    view = view_lines(TEXT, total=10, limit=21)
    assert view.text.split("\n") == ["[Viewing lines 1 to 2 (out of 10 lines)]", *lines(1, 2)]


def lines(first, last):
    return [f"{n}: line {n}" for n in range(first, last + 1)]


def test_of_a_line_that_does_not_fit_the_beginning_is_shown():
    view = view_lines("x" * 500, total=1, limit=50)
    assert view.text.split("\n")[1] == "1: " + "x" * 47
    assert "left out" in view.text and (view.start, view.end) == (1, 1)


def test_an_empty_file_says_so():
    assert view_lines("", total=0, limit=10).text == "[The file is empty]"
    assert [count_lines(text) for text in ("", "a", "a\n", "a\nb", "\n")] == [0, 1, 1, 2, 1]


def rendered(*files, budget=1000, **fields):
    folder = Directory("docs", tuple(files), **fields)
    return render_directories([folder], max_open=5, budget=budget, measure=len)


def test_the_section_names_folders_and_files():
    text = rendered(
        ListedFile("docs/a.md", True, "1: Hello", 1.0),
        ListedFile("docs/b.md"),
        description="Notes",
        instructions="Read them.",
        more=3,
    )
    assert "- current_files_open=1\n- max_files_open=5" in text
    assert '<directory name="docs">\n<description>Notes</description>' in text
    assert "<instructions>Read them.</instructions>" in text
    assert '<file status="open" name="docs/a.md">' in text
    assert "<value>\n1: Hello\n</value>" in text
    assert '<file status="closed" name="docs/b.md"></file>' in text
    assert "and 3 more files" in text
    assert render_directories([], max_open=5, budget=10, measure=len) == ""


def test_the_file_opened_last_has_first_claim_to_the_space():
    old = ListedFile("docs/old.md", True, "1: old\n2: older\n3: oldest", 1.0)
    new = ListedFile("docs/new.md", True, "1: new\n2: newer", 2.0)
    text = rendered(old, new, budget=30)
    assert "2: newer" in text and "1: old" in text
    assert "3: oldest" not in text and LEFT_OUT in text


def test_names_cannot_break_out_of_their_quotes():
    assert 'name="docs/a&quot; status=&quot;b"' in rendered(ListedFile('docs/a" status="b'))


def found(text, pattern, context=0, deadline=None):
    when = time.monotonic() + 60 if deadline is None else deadline
    return list(matches(text, compile_pattern(pattern), context=context, deadline=when))


def test_grep_gives_lines_with_those_around_them():
    (match,) = found(TEXT, "LINE 5$", context=1)
    assert (match.line, match.first, match.lines) == (5, 4, ("line 4", "line 5", "line 6"))
    assert [one.line for one in found(TEXT, r"^line (2|3)$")] == [2, 3]
    assert found("naïve 漢字", "漢.")[0].lines == ("naïve 漢字",)


@pytest.mark.parametrize("pattern", ["(", "", "(?=x)", r"(a)\1", "x" * 2000, "a{1,99999}"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern):
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


def test_patterns_that_explode_elsewhere_take_no_time():
    assert found("a" * 100_000 + "!", r"^(a+)+$") == []
    assert found("x" * 100_000, r"(x+x+)+y") == []


def test_a_search_has_an_end():
    with pytest.raises(OutOfTime):
        found(TEXT, "line", deadline=0)


def test_of_a_very_long_line_the_match_is_shown():
    (match,) = found("a" * 5000 + "needle" + "b" * 5000, "needle")
    assert "needle" in match.lines[0] and len(match.lines[0]) < 500
