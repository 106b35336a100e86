"""The check of the pages sees each fault that is planted in a small site."""

import shutil

import pytest

from tests.docs import check_site

BROWSER = shutil.which("chromium")
HEAD = "<!doctype html><meta charset='utf-8'><link rel='icon' href='data:,'>"
GOOD = HEAD + "<h1 id='top'>Here</h1><a href='other.html#there'>there</a> <a href='https://example.org'>elsewhere</a>"
OTHER = HEAD + "<h1 id='there'>There</h1><a href='index.html'>back</a>"

IN_FILES = {
    "<a href='lost.html'>lost</a>": "leads to lost.html, which is not there",
    "<a href='other.html#here'>here</a>": "leads to other.html#here, which has no such anchor",
    "<a href='#bottom'>bottom</a>": "leads to #bottom, which has no such anchor",
    "<img src='lost.png'>": "leads to lost.png, which is not there",
    "<script src='https://example.org/x.js'></script>": "loads https://example.org/x.js from another host",
    "<link rel='stylesheet' href='//example.org/x.css'>": "loads //example.org/x.css from another host",
}
IN_BROWSER = {
    "<span class='math'>\\(x\\)</span>": "a formula is not set",
    "<img src='data:image/png;base64,AAAA'>": "a picture is not shown",
    "<div style='width: 3000px'>wide</div>": "is 30",
    "<script>fetch('http://example.org/x')</script>": "asked for http://example.org/x",
    "<script src='/lost'></script>": "/lost: code 404",
}


def site(folder, body=""):
    folder.joinpath("index.html").write_text(GOOD + body, encoding="utf-8")
    folder.joinpath("other.html").write_text(OTHER, encoding="utf-8")
    return folder


def test_a_good_site_has_no_fault(tmp_path):
    assert check_site.check_files(site(tmp_path)) == ([], 0)


def test_an_empty_site_is_a_fault(tmp_path):
    assert check_site.check_files(tmp_path)[0]


@pytest.mark.parametrize("body", IN_FILES)
def test_faults_seen_in_files(tmp_path, body):
    faults, _ = check_site.check_files(site(tmp_path, body))
    assert len(faults) == 1
    assert IN_FILES[body] in faults[0]


def test_a_style_sheet_from_another_host(tmp_path):
    site(tmp_path).joinpath("x.css").write_text("a { background: url('https://example.org/x.png') }", encoding="utf-8")
    (fault,) = check_site.check_files(tmp_path)[0]
    assert fault == "x.css loads https://example.org/x.png from another host"


def test_names_without_a_page(tmp_path):
    faults = check_site.check_names(tmp_path)
    assert any(fault.startswith("npgrad.functions.MLP is on no page") for fault in faults)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "functions.html").write_text("<dt id='npgrad.functions.MLP'>", encoding="utf-8")
    assert not any("functions.MLP " in fault for fault in check_site.check_names(tmp_path))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_faults_seen_in_the_browser(tmp_path):
    faults = check_site.check_in_browser(site(tmp_path, "".join(IN_BROWSER)), BROWSER)
    assert len(faults) == len(IN_BROWSER)
    for said in IN_BROWSER.values():
        assert any(said in fault for fault in faults)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_formulas_of_a_page_opened_as_a_file(tmp_path):
    site(tmp_path, "<span class='math'>\\(x\\)</span>")
    (fault,) = check_site.check_as_file(tmp_path, BROWSER)
    assert fault.endswith("sets 0 of 1 formulas")
