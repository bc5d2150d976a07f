#!/usr/bin/env python3
"""Every example of docs/API.md and README.md, run as it stands; and the tables of docs/API.md against the code."""
import os
import re

import examples
from examples import lib

SOURCES = ["src/wire", "src/drive"]


def read(path):
    with open(os.path.join(lib.ROOT, path), encoding="utf-8") as f:
        return f.read()


API = read("docs/API.md")


def sources():
    for folder in SOURCES:
        for name in sorted(os.listdir(os.path.join(lib.ROOT, folder))):
            if name.endswith(".c"):
                yield os.path.join(folder, name), read(os.path.join(folder, name))


def literal(c_text):
    """Adjacent C string literals as one text."""
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', c_text)
    return "".join(pieces).replace('\\"', '"').replace("\\n", "\n").replace("%%", "%")


# ---- statuses and texts ------------------------------------------------------------------------

def rows():
    """(statuses, texts) of the tables that say so."""
    found = []
    for table in re.findall(r"<!-- texts: .*?-->\n(.*?)\n\n", API, re.DOTALL):
        for line in table.split("\n")[2:]:
            cells = line.strip("|").split(" | ")
            texts = [a or b for a, b in re.findall(r"``(.+?)``(?!`)|`([^`]+)`", cells[1])]
            found.append(([int(s) for s in re.findall(r"\d{3}", cells[0])], texts))
    return found


def pattern(text):
    """Of a text of the table: runs of capitals that stand alone are anything."""
    return "".join("(.*)" if re.fullmatch(r"[A-Z]{1,8}", w) and w not in KEPT else re.escape(w)
                   for w in re.split(r"(\b[A-Z]+\b)", text))


KEPT = {"HTTP", "JSON", "PUT", "POST", "GET", "HEAD", "DELETE", "CR", "LF", "TTL", "MD", "B", "K", "PR", "PW", "DW", "R", "W",
        "ETAG", "PROPERTY", "VALUE"}


def documented(status, text):
    return any(status in statuses and any(re.fullmatch(pattern(t), text) for t in texts)
               for statuses, texts in rows())


def filled(text):
    """The first line of a format, with something in its places."""
    text = text.split("\n")[0]
    return re.sub(r"%(?:\.\*)?(?:l?u|d|s|ll?u)", lambda m: "7" if m[0][-1] in "ud" else "x", text)


def failures():
    """(file, status, text) of everything that the sources refuse a client's request with."""
    for name, text in sources():
        if "/http" in name:
            for m in re.finditer(r"http_failure_set\(\s*\w+,\s*(\d{3}),\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", text):
                yield name, int(m[1]), literal(m[2])
            for m in re.finditer(r"\bbad\(p, (\d{3}), ((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", text):
                yield name, int(m[1]), literal(m[2])
            for m in re.finditer(r"take_line\(p, \w+, (\d{3}),", text):
                yield name, int(m[1]), "a line of the request head is too long"
        if name.endswith("http_chunk.c"):
            for m in re.finditer(r"\bbad\(c, (\"(?:[^\"\\]|\\.)*\")", text):
                yield name, 400, literal(m[1])
        for m in re.finditer(r"answer_(?:line|bad)\(c, (\d{3}), ((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", text):
            if int(m[1]) >= 400:
                yield name, int(m[1]), literal(m[2])
        for m in re.finditer(r"choose_text\(a, (\d{3}), (\"(?:[^\"\\]|\\.)+\")", text):
            yield name, int(m[1]), literal(m[2])
    for name in ("a percent sign in the target must be followed by two hexadecimal digits",
                 "the query has too many parameters"):
        assert name in read("src/wire/http_target.c"), name
        yield "src/wire/http_target.c", 400, name


def error_rows():
    """(name, status, text) of the table of include/dunlin/err.h."""
    return [(n, int(s), t) for n, s, t in
            re.findall(r'X\((\w+), (\d+), \d, "([^"]+)"\)', read("include/dunlin/err.h"))]


# Rows whose text a client gets in another dress, or never alone.
DRESSED = {"OK", "ABOVE_N", "NO_TYPE"}
COUNTED = {"R_UNMET", "PR_UNMET", "PW_UNMET", "DW_UNMET", "CONFIRMS_UNMET"}
NAMED = {"HOLDS_DATA", "SILENT"}


def test_every_text_of_the_sources_is_in_the_tables():
    found = [(f, s, filled(t)) for f, s, t in failures() if not t.startswith("%s")]
    assert len(found) > 50, "only %d texts were found in the sources" % len(found)
    missing = [row for row in found if not documented(row[1], row[2])]
    assert not missing, "not in docs/API.md: %r" % missing


def test_every_row_of_the_errors_is_in_the_tables():
    found = error_rows()
    assert len(found) > 30, found
    for name, status, text in found:
        if name in DRESSED:
            continue
        shown = text + (": 1/2" if name in COUNTED else ": n1" if name in NAMED else "")
        assert documented(status, shown), "ERR_%s (%d): %s" % (name, status, shown)


def test_no_text_of_the_tables_is_made_up():
    """Each is found in the sources, up to what differs from case to case."""
    known = [filled(t) for _, _, t in failures()] + [t for _, _, t in error_rows()]
    known += [t + e for _, _, t in error_rows() for e in (": 1/2", ": n1", ": x")]
    strings = [literal(s) for _, text in sources() for s in re.findall(r'"(?:[^"\\]|\\.)*"', text)]
    known += [filled(line) for s in strings for line in s.split("\n")]
    known += [k.replace("x must be a number", "max_results must be a number") for k in known]
    for statuses, texts in rows():
        assert statuses and texts, (statuses, texts)
        for t in texts:
            if t.startswith("X-Riak-Deleted"):
                continue
            assert any(re.fullmatch(pattern(t), k) for k in known), t


# ---- parameters and properties -----------------------------------------------------------------

def table_behind(line):
    """The rows of the first table behind a line, without its head."""
    lines = [l for l in API.split("\n" + line, 1)[1].split("\n\n| ", 1)[-1].split("\n")]
    return [l for l in lines[:next(i for i, l in enumerate(lines) if not l)] if l.startswith("| `")]


def test_the_parameters_are_those_of_the_code():
    in_code = set()
    for name, text in sources():
        if name == "src/drive/admin.c":
            continue
        in_code |= set(re.findall(r'http_target_param\(t, "(\w+)"', text))
        in_code |= set(re.findall(r'read_(?:quorum|boolean)\(t, "(\w+)"', text))
        in_code |= set(re.findall(r'number_param\(c, t, "(\w+)"', text))
    in_code |= {"keys", "buckets"}
    documented_names = {re.match(r"\| `(\w+)`", l)[1] for l in table_behind("## Query parameters")}
    lib.same(documented_names, in_code)




def test_the_properties_are_those_of_the_table():
    found = re.findall(r'X\((\w+), (\w+), ([^"]+?), "', read("include/dunlin/props.h"))
    names = [n for n, _, _ in found]
    assert len(names) > 15, names
    shown = {}
    for line in table_behind("<!-- properties:"):
        cells = [c.strip() for c in line.strip("|").split(" | ")]
        row = re.findall(r"`(\w+)`", cells[0])
        values = [v.strip(" `") for v in cells[2].split(", ")]
        for i, n in enumerate(row):
            shown[n] = values[i] if len(values) == len(row) else values[0]
    lib.same(sorted(shown), sorted(names))
    words = {"QUORUM_QUORUM": "quorum", "PROP_SYNC_BACKEND": "backend"}
    for name, kind, numbers in found:
        value = numbers.split(",")[-1].strip()
        if kind == "BOOL":
            value = ["false", "true"][int(value)]
        value = words.get(value, value)
        if name != "n_val":
            lib.same(shown[name], value, "default of " + name)


# What the table of limits says, in the order of its rows.
LIMITS = ["TYPE_BYTES_MAX", "BUCKET_BYTES_MAX", "NAME_BYTES_MAX", "VALUE_BYTES_MAX", "META_BYTES_MAX", "SIBLINGS_MAX",
          "OBJECT_BYTES_MAX", "CONTEXT_BYTES_MAX", "HTTP_LINE_BYTES_MAX", "HTTP_HEADER_BYTES_MAX", "HTTP_HEADERS_MAX",
          "HTTP_QUERY_PARAMS_MAX", "HTTP_PATH_SEGMENTS_MAX", "CONDITION_TAGS_MAX", "COUNTER_DIGITS_MAX", "COUNTER_ENTRIES_MAX",
          "STAND_INS_MAX", "STAND_IN_BYTES_MAX", "EXTRA_HINTS_MAX", "HINT_BYTES_MAX", "COORD_SLOTS_MAX",
          "HTTP_CONNECTIONS_MAX", "POOL_BYTES_MAX", "HTTP_REQUEST_TIMEOUT_US", "HTTP_IDLE_TIMEOUT_US",
          "PROPS_BUCKETS_MAX", "PROPS_DOCUMENT_BYTES_MAX", "LIST_RESULTS_MAX", "LIST_BUCKETS_RESULTS_MAX", "HTTP_LIST_ENCODED_BYTES", "LIST_BUCKETS_MAX", "LISTS_MAX"]


def test_the_limits_are_those_of_the_code():
    text = API.split("<!-- limits:", 1)[1].split("\n\n## ")[0]
    cells = [line.strip("|").split(" | ")[1] for line in text.split("\n") if line.startswith("| ")][1:]
    shown = re.findall(r"\b(\d+(?: (?:KiB|MiB|s)\b)?)", ", ".join(c.split(" before base64")[0] for c in cells))
    defined = dict(re.findall(r"^#define (\w+) (\S+)$", read("include/dunlin/limits.h"), re.M))
    units = {"KIB": " KiB", "MIB": " MiB", "SECONDS": " s"}
    same = [re.sub(r"^(KIB|MIB|SECONDS)\((\d+)\)$", lambda m: m[2] + units[m[1]], defined[n]) for n in LIMITS]
    lib.same(shown, same)


def test_the_links_within_the_page_lead_somewhere():
    heads = {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^##+ (.*)$", API, re.M)}
    for anchor in re.findall(r"\]\(#([\w-]+)\)", API):
        assert anchor in heads, anchor


def main():
    import sys
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    examples.check_document(count, "docs/API.md", 50)
    examples.check_document(count, "README.md", 12)
    count.finish()


main()
