"""dunlin-check on histories that it must accept and refuse, written by hand (docs/HISTORY.md).

Each test is a function whose name is its sentence. The judges themselves have their tests in
tests/unit/test_sim_check.c; here it is about what the loader makes of lines.
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECK = os.path.join(os.environ.get("CHAOS_BUILD", os.path.join(ROOT, "build/release")), "dunlin-check")


class Story:
    """A history of one key, 4, in the making. Operations are numbered as they come."""

    def __init__(self, n=3):
        self.t, self.ops, self.lines = 0, 0, []
        self.line(type="run", format=1, n=n)

    def line(self, **members):
        self.t += 10
        self.lines.append(json.dumps(dict(members, t=self.t)))

    def invoke(self, f, **more):
        op = self.ops
        self.ops += 1
        self.line(type="invoke", op=op, f=f, key=4, **more)
        return op

    def vtag(self, op):
        return "%022d" % (op + 1)

    def put(self, answer="ok", **more):
        op = self.invoke("put", **more)
        self.answer(op, answer)
        return op

    def delete(self, answer="ok", **more):
        op = self.invoke("delete", **more)
        self.answer(op, answer)
        return op

    def answer(self, op, kind="ok", **more):
        if kind == "ok":
            more = dict({"vtag": self.vtag(op)}, **more)
        self.line(type=kind, op=op, **more)

    def read(self, *shown, **more):
        op = self.invoke("get", **more)
        self.line(type="ok", op=op, shown=[[w, self.vtag(w)] if w >= 0 else [w, ""] for w in shown])
        return op

    def end(self, *shown, different=0, drained=True):
        """What a run does when all is over."""
        self.line(type="drained", ok=drained, why="" if drained else "n1: hints=1")
        self.read(*shown, view="final", pr=3)
        self.line(type="compare", when="after", keys=1, different=different, failed=0)
        self.read(*shown, view="again", pr=3)
        return self

    def check(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
            f.write("\n".join(self.lines) + "\n")
            f.flush()
            p = subprocess.run([CHECK, f.name], capture_output=True, text=True)
        broken = sorted({l.split(" ")[0] for l in p.stdout.split("\n") if " BROKEN: " in l})
        return p.returncode, broken, p.stdout + p.stderr


def holds(s):
    code, broken, text = s.check()
    assert code == 0 and not broken, text


def refused(s, *promises):
    code, broken, text = s.check()
    assert code == 1 and broken == sorted(promises), "%s, wanted %s:\n%s" % (broken, promises, text)


def misread(s, why):
    code, _, text = s.check()
    assert code == 2 and why in text, "%d %s" % (code, text)


def two_siblings_that_are_there_hold():
    s = Story()
    a, b = s.put(), s.put()
    holds(s.end(a, b))


def an_acknowledged_value_that_is_gone_is_lost():
    s = Story()
    s.put()
    b = s.put()
    refused(s.end(b), "P2")


def a_value_covered_through_a_context_is_not_lost():
    s = Story()
    a = s.put()
    r = s.read(a)
    b = s.put(ctx=r)
    holds(s.end(b))


def a_context_of_a_write_shows_what_that_write_was_sent_with():
    s = Story()
    a = s.put()
    b = s.put(ctx=a)
    c = s.put(ctx=b)
    holds(s.end(c))


def a_context_that_did_not_show_the_value_does_not_cover_it():
    s = Story()
    s.put()
    r = s.read()
    b = s.put(ctx=r)
    refused(s.end(b), "P2")


def a_value_of_unknown_outcome_may_be_there_or_not():
    s = Story()
    a = s.put("unknown")
    holds(s.end())
    s = Story()
    a = s.put("unknown")
    holds(s.end(a))


def a_write_never_answered_may_be_there():
    s = Story()
    a = s.invoke("put")
    holds(s.end(a))


def a_write_answered_none_that_is_there_is_a_lie():
    s = Story()
    a = s.put("fail")
    refused(s.end(a), "P7")


def a_covered_value_that_is_there_came_back():
    s = Story()
    a = s.put()
    s.delete(ctx=a)
    refused(s.end(a), "P3")


def a_delete_without_a_context_covers_what_began_before():
    s = Story()
    s.put()
    s.delete()
    holds(s.end())


def a_tombstone_shown_by_its_vtag_hands_on_what_it_covered():
    s = Story()
    a = s.put()
    d = s.delete(ctx=a)
    r = s.invoke("get")
    s.line(type="ok", op=r, shown=[[-1, s.vtag(d)]])
    b = s.put(ctx=r)
    refused(s.end(a, b), "P2", "P3")


def a_stale_quorum_read_is_refused():
    s = Story()
    a = s.put(pw=2)
    s.read(pr=2)
    refused(s.end(a), "P5")


def a_read_of_fewer_primaries_may_be_stale():
    s = Story()
    a = s.put(pw=2)
    s.read(pr=1)
    holds(s.end(a))


def a_session_that_goes_back_is_refused():
    s = Story()
    a = s.put()
    read = s.read(a)
    b = s.put(ctx=read)
    s.read(a, at_least=read)
    s.read(b, at_least=b)
    holds(s.end(b))
    s.read(a, at_least=b)  # it was shown b by its own answer
    refused(s.end(b), "session")


def a_session_names_an_answer_of_its_key():
    s = Story()
    a = s.put(answer="unknown")
    s.read(a, at_least=a)
    misread(s, "a context that no answer of this key gave")


def one_vtag_for_two_writes_is_refused():
    s = Story()
    a, b = s.invoke("put"), s.invoke("put")
    s.answer(a, vtag=s.vtag(7))
    s.answer(b, vtag=s.vtag(7))
    s.end()
    assert "P2" in s.check()[1]


def bytes_that_nobody_wrote_are_refused():
    s = Story()
    s.put()
    s.read(-2)
    s.end(0)
    refused(s, "P2")


def replicas_that_differ_are_refused():
    s = Story()
    a = s.put()
    refused(s.end(a, different=1), "P4")


def hints_that_stay_are_refused():
    s = Story()
    a = s.put()
    refused(s.end(a, drained=False), "P4")


def replicas_never_compared_are_refused():
    s = Story()
    a = s.put()
    s.line(type="drained", ok=True)
    s.read(a, view="final", pr=3)
    refused(s, "P4")


def a_key_never_read_at_the_end_is_refused():
    s = Story()
    s.put()
    s.line(type="drained", ok=True)
    s.line(type="compare", when="after", keys=1, different=0, failed=0)
    refused(s, "P2")


def a_failure_while_nothing_is_wrong_is_refused():
    s = Story()
    a = s.put()
    s.line(type="phase", name="calm", demand=True)
    s.put("unknown")
    s.line(type="phase", name="checking")
    refused(s.end(a), "P6")


def a_failure_amid_trouble_is_not():
    s = Story()
    a = s.put()
    s.line(type="phase", name="kill-one")
    s.put("unknown")
    holds(s.end(a))


def a_line_cut_short_is_no_history():
    s = Story()
    s.lines.append('{"type":"invoke","op":0')
    misread(s, "not a line of JSON")


def an_answer_to_nothing_is_no_history():
    s = Story()
    s.line(type="ok", op=0)
    misread(s, "an answer to what was not invoked above")


def a_value_shown_before_it_was_sent_is_no_history():
    s = Story()
    r = s.invoke("get")
    s.line(type="ok", op=r, shown=[[1, ""]])
    s.put()
    misread(s, "no operation above wrote")


def main():
    tests = [f for n, f in globals().items() if callable(f) and not isinstance(f, type)
             and f.__code__.co_argcount == 0 and n != "main"]
    failed = 0
    for test in tests:
        try:
            test()
            print("ok", test.__name__)
        except AssertionError as e:
            failed += 1
            print("not ok", test.__name__, e)
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
