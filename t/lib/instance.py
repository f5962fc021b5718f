"""A scratch instance of Postern for tests: configuration, control, log. Standard library only.

    with Instance(services=["2525 inet n - n - - smtpd"], main={"relayhost": "[127.0.0.1]:2526"}) as i:
        i.start()
        i.wait_log(r"daemon started")

Programs come from $POSTERN_BUILD (build/), or from $POSTERN_DEBUG_BUILD with debug=True. Everything is below a fresh directory
that is removed at the end. As root the daemons run as "postern", or else as "nobody"."""
import grp
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SRC = os.environ.get("POSTERN_SRC") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("POSTERN_BUILD") or os.path.join(SRC, "build")
DEBUG_BUILD = os.environ.get("POSTERN_DEBUG_BUILD") or os.path.join(BUILD, "debug")
STANDARD = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
postlog unix-dgram n - n - 1 postlogd
"""


def wait_until(predicate, what, timeout=20):
    """Until predicate() is true; its value. AssertionError after the timeout."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %gs: %s" % (timeout, what))
        time.sleep(0.02)


_ports = []  # what keeps other tests from taking ours


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on, nor will: it is none of those that the system gives to clients by itself, and
    until this process ends no other test gets it."""
    while True:
        port = random.randrange(10000, 32768)
        mine = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                mine.bind("\0postern test port %d" % port)
                s.bind(("127.0.0.1", port))
                _ports.append(mine)
                return port
            except OSError:
                mine.close()


def free_ports(n):
    """As many of them, all different."""
    return [free_port() for _ in range(n)]


def first_name(lookup, names):
    for name in names:
        try:
            lookup(name)
            return name
        except KeyError:
            pass


class Instance:
    def __init__(self, main=None, services=(), standard=True, debug=False, syslog=False):
        self.build = DEBUG_BUILD if debug else BUILD
        self.dir = tempfile.mkdtemp(prefix="postern-t-")
        os.chmod(self.dir, 0o755)
        self.conf, self.spool, self.data = (os.path.join(self.dir, d) for d in ("conf", "spool", "data"))
        os.mkdir(self.conf, 0o755)
        self.logfile = os.path.join(self.dir, "log", "mail.log")
        os.mkdir(os.path.dirname(self.logfile), 0o755)
        self.owner = first_name(pwd.getpwnam, ["postern", "nobody"])
        self.main = {
            "compatibility_level": "3.6", "queue_directory": self.spool, "data_directory": self.data,
            "command_directory": os.path.join(self.build, "bin"), "daemon_directory": os.path.join(self.build, "libexec"),
            "mail_owner": self.owner, "setgid_group": first_name(grp.getgrnam, ["postdrop", "nogroup", "nobody"]),
            "myhostname": "gw.example.test", "mydomain": "example.test", "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8", "alias_maps": "", "alias_database": "",
            "mydestination": "", "maillog_file": self.logfile, "maillog_file_prefixes": self.dir,
        }
        if syslog:
            self.main["maillog_file"] = ""
        self.main.update(main or {})
        self.services = (STANDARD.strip().splitlines() if standard else []) + list(services)
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TZ")}
        self.env.update(MAIL_CONFIG=self.conf, LC_ALL="C")
        self.write_config()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] and getattr(exc[1], "code", 1):
            print("# the log says:\n# " + self.log().strip().replace("\n", "\n# "), flush=True)
        try:
            if self.master_pid():
                self.ctl("abort")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def write_config(self):
        self.file("main.cf", "".join("%s = %s\n" % (k, str(v).replace("\n", "\n    ")) for k, v in self.main.items() if v is not None))
        self.file("master.cf", "".join(s + "\n" for s in self.services))

    def file(self, name, text, mode=0o644):
        """Never seen half written: a worker may be starting just now."""
        path = os.path.join(self.conf, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    # -- control
    def cmd(self, program, *args, input="", timeout=60, check=False, env=None):
        path = program if program.startswith("/") else os.path.join(self.build, "bin", program)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            # Files, not pipes: a daemon that keeps a descriptor must not hold this up.
            p = subprocess.run([path] + [str(a) for a in args], input=input.encode() if isinstance(input, str) else input,
                               stdout=out, stderr=err, timeout=timeout, env=dict(self.env, **(env or {})), cwd="/")
            out.seek(0)
            err.seek(0)
            p.stdout, p.stderr = out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace")
        if check and p.returncode:
            raise AssertionError("%s: exit %d\n%s%s" % (" ".join([program] + [str(a) for a in args]), p.returncode, p.stdout, p.stderr))
        return p

    def ctl(self, *action, check=False):
        return self.cmd("postern", *action, check=check)

    def start(self):
        self.ctl("start", check=True)
        return self

    def stop(self):
        self.ctl("stop", check=True)

    def reload(self):
        self.write_config()
        mark = len(self.log())
        self.ctl("reload", check=True)
        self.wait_log("reload -- version", since=mark)

    def master_pid(self):
        """Of the running master, or 0."""
        try:
            pid = int(open(os.path.join(self.spool, "pid", "master.pid")).read())
            os.kill(pid, 0)
            return pid if "master" in open("/proc/%d/cmdline" % pid).read() else 0
        except (OSError, ValueError):
            return 0

    def pids(self, program=None):
        """Process IDs of the workers (of one program)."""
        out = []
        master = self.master_pid()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = open("/proc/%s/stat" % pid).read()
                argv = open("/proc/%s/cmdline" % pid).read().split("\0")
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == master and argv[0] and program in (None, os.path.basename(argv[0])):
                out.append(int(pid))
        return out

    def kill(self, pid, signum=signal.SIGKILL):
        os.kill(pid, signum)

    # -- log
    def log(self, since=0):
        try:
            with open(self.logfile, encoding="utf-8", errors="replace") as f:
                return f.read()[since:]
        except FileNotFoundError:
            return ""

    def find_log(self, pattern, since=0):
        return [l for l in self.log(since).splitlines() if re.search(pattern, l)]

    def wait_log(self, pattern, count=1, since=0, timeout=20):
        return wait_until(lambda: (lambda f: f[count - 1] if len(f) >= count else None)(self.find_log(pattern, since)),
                          "log line /%s/ x%d" % (pattern, count), timeout)


def is_gone(pid):
    """No such process, or one that has ended and only its parent does not care."""
    try:
        return open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class Lines:
    """A connection that speaks lines: (host, port) or a path."""

    def __init__(self, to, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(to)
        self.file = self.sock.makefile("rb")

    def get(self):
        return self.file.readline().decode("utf-8", "replace").rstrip("\r\n")

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def ask(self, line):
        self.send(line + "\n")
        return self.get()

    def close(self):
        self.file.close()
        self.sock.close()
