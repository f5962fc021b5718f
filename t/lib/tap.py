"""TAP from Python: ok(), is_eq(), like(), test functions with run()."""
import re
import signal
import sys
import traceback

# Run in the background, or under nohup, a test would pass ignored signals on to what it starts.
for _s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_s) == signal.SIG_IGN:
        signal.signal(_s, signal.SIG_DFL)

_count, _failed = 0, 0


def ok(good, name):
    global _count, _failed
    _count += 1
    _failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", _count, name.replace("\n", " ").replace("#", "\\#")), flush=True)
    return bool(good)


def skip(name, reason):
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, name, reason), flush=True)


def diag(text):
    print("# " + str(text).replace("\n", "\n# "), flush=True)


def is_eq(got, want, name):
    if not ok(got == want, name):
        diag("got:  %r\nwant: %r" % (got, want))
    return got == want


def like(text, pattern, name):
    if not ok(re.search(pattern, text), name):
        diag("got:     %r\npattern: %s" % (text, pattern))


def skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


def run(*tests):
    """Runs functions as tests: an exception fails the one, the others go on. Ends the process."""
    for t in tests:
        try:
            t()
        except Exception as e:
            ok(False, "%s: %s" % (t.__name__, str(e).split("\n")[0]))
            diag(str(e) if isinstance(e, AssertionError) else repr(e))
            diag("".join(traceback.format_tb(e.__traceback__)[1:2]))
    print("1..%d" % _count)
    sys.exit(1 if _failed else 0)
