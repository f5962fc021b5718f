"""A test in a private mount namespace (root only): its own /dev, where /dev/log may be made, and its own copies of directories.

    import namespace
    namespace.enter()          # first of all: starts the test again inside; skips it where that cannot be done"""
import os
import subprocess
import sys


def enter():
    if os.environ.get("POSTERN_TEST_NS"):
        return
    argv = ["unshare", "-m", "--propagation", "private"]
    if os.geteuid() != 0 or subprocess.run(argv + ["true"], stderr=subprocess.DEVNULL).returncode:
        print("1..0 # SKIP needs root and mount namespaces", flush=True)
        sys.exit(0)
    os.environ["POSTERN_TEST_NS"] = "1"
    os.execvp(argv[0], argv + [sys.executable] + sys.argv)


def mount(*args):
    subprocess.run(["mount"] + list(args), check=True)


def private_dev(work):
    """A /dev of our own: what programs need of the old one, and room for a log socket."""
    new = os.path.join(work, "dev")
    os.mkdir(new, 0o755)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", new)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        open(os.path.join(new, name), "w").close()
        mount("--bind", "/dev/" + name, os.path.join(new, name))
    for name, to in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        os.symlink(to, os.path.join(new, name))
    os.mkdir(os.path.join(new, "shm"), 0o1777)
    os.chmod(os.path.join(new, "shm"), 0o1777)
    mount("--rbind", new, "/dev")
    subprocess.run(["umount", "-R", new], check=True)
    os.rmdir(new)


def private_dir(path):
    """An empty directory in the place of path, which is made if its parent allows; for this test only."""
    top = path
    while not os.path.isdir(top):
        top = os.path.dirname(top)
    if top != path:
        # Nothing of it may stay behind: the deepest directory that is there is covered by one of our own.
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", top)
        os.makedirs(path, 0o755)
    else:
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
