#!/usr/bin/env python3
"""master and the skeleton of servers, with a small test daemon in the place of the real ones."""
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import BUILD, Instance, Lines, free_port, is_gone, wait_until
from tap import is_eq, like, ok, run

ECHOD = os.path.join(BUILD, "t/programs/echod")


class Echo(Instance):
    """Daemons named after real ones, all of them echod."""

    def __init__(self, services, names=("smtpd", "cleanup", "pickup", "qmgr", "smtp", "broken"), main=None):
        super().__init__(main=main, services=services, standard=False, debug=True)
        self.daemons = os.path.join(self.dir, "libexec")
        os.mkdir(self.daemons)
        os.symlink(os.path.join(self.build, "libexec/master"), os.path.join(self.daemons, "master"))
        for n in names:
            os.symlink(ECHOD, os.path.join(self.daemons, n))
        self.main["daemon_directory"] = self.daemons
        self.write_config()

    def socket(self, name, private=False):
        c = Lines(os.path.join(self.spool, "private" if private else "public", name))
        assert c.get() == "hello local"
        return c


def tcp(port):
    c = Lines(("127.0.0.1", port))
    like(c.get(), r"^hello 127\.0\.0\.1$", "greeting over TCP, with the client's address")
    return c


def pid_of(port):
    """Of the worker that a new session comes to."""
    c = Lines(("127.0.0.1", port))
    c.get()
    pid = c.ask("pid").split()[1]
    c.close()
    return pid


def test_basic():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd" % port, "cleanup unix n - n - 0 cleanup", "missing unix - - n - - nosuchprogram"]) as i:
        r = i.ctl("status")
        is_eq(r.returncode, 1, "status before the start")
        is_eq(i.ctl("stop").returncode, 1, "stop before the start fails")
        i.start()
        like(i.wait_log("daemon started"), r"master\[\d+\]: daemon started -- version \S+, configuration %s$" % i.conf, "start is logged")
        like("\n".join(i.find_log("warning")), r"not available: missing \(nosuchprogram\)", "a missing program draws a warning")
        is_eq(i.pids(), [], "no worker before there is something to do")
        c = tcp(port)
        like(c.ask("pid"), r"^pid \d+ %d 0 \d+ 1$" % port, "name, slot, sessions of the worker")
        is_eq(c.ask("x y"), "echo x y", "a session")
        is_eq(len(i.pids("smtpd")), 1, "one worker")
        d = i.socket("cleanup")
        is_eq(d.ask("z"), "echo z", "a UNIX socket")
        uid, gid, cwd, nnp = d.ask("id").split()[1:]
        if os.geteuid() == 0:
            ok(int(uid) != 0 and int(gid) != 0, "the worker is not root")
        is_eq((cwd, nnp), (i.spool, "1"), "working directory and no_new_privs")
        r = i.ctl("status")
        is_eq(r.returncode, 0, "status while it runs")
        like(i.wait_log(r"postfix-script\[\d+\]: the Postfix mail system is running"), r"PID: %d$" % i.master_pid(), "status tells the process")
        r = i.ctl("start")
        is_eq(r.returncode, 1, "a second start fails")
        like(r.stderr, "fatal: the Postfix mail system is already running", "and says why")
        master = i.master_pid()
        begin = time.monotonic()
        i.stop()
        ok(is_gone(master), "master has gone")
        ok(time.monotonic() - begin < 6, "a stop with open sessions does not take long")
        like(i.log(), r"terminating on signal 15", "stop is logged")
        is_eq(d.get(), "", "sessions are closed")
        is_eq(len(i.find_log("panic|exit status|killed by")), 0, "nothing ended badly")


def test_crash():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd" % port]) as i:
        i.start()
        c = tcp(port)
        c.send("crash\n")
        like(i.wait_log("killed by signal"), r"warning: process %s/smtpd pid \d+ killed by signal 9" % i.daemons, "a crash is logged")
        is_eq(tcp(port).ask("again"), "echo again", "and the worker replaced")


def test_throttle():
    port = free_port()
    with Echo(["%d inet n - n - - broken fail" % port], main={"service_throttle_time": "1s"}) as i:
        i.start()
        s = socket.create_connection(("127.0.0.1", port))
        like(i.wait_log("throttling"), r"warning: %s/broken: bad command startup -- throttling" % i.daemons, "a start that fails is logged")
        like(i.wait_log("exit status"), r"warning: process %s/broken pid \d+ exit status 1" % i.daemons, "with its exit status")
        i.wait_log("throttling", count=2)
        ok(True, "it is tried again later")
        s.close()


def test_limits():
    port = free_port()
    with Echo(["%d inet n - n - 2 smtpd" % port, "one unix n - n - 1 smtp"]) as i:
        i.start()
        a, b = tcp(port), tcp(port)
        s = socket.create_connection(("127.0.0.1", port))
        s.settimeout(0.7)
        try:
            got = s.recv(10)
        except socket.timeout:
            got = None
        is_eq(got, None, "maxproc 2: a third session has to wait")
        a.close()
        s.settimeout(10)
        is_eq(s.recv(5), b"hello", "until another one ends")
        b.close()
        s.close()
        like(i.socket("one").ask("pid"), r" one 0 1 1$", "maxproc 1 is a limit of one session")


def test_companion():
    if os.cpu_count() < 2:
        return
    with Echo(["busy unix n - n - - smtp"]) as i:
        i.start()
        c = i.socket("busy")
        for _ in range(200):
            c.send("busy 100\n")  # in advance, so that it has no pause, however slow we are
        wait_until(lambda: len(i.pids("smtp")) == 2, "a companion")
        ok(True, "a busy worker gets a companion")


def test_reload():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd" % port, "gone unix n - n - - smtp", "kept unix n - n - - smtp idle",
               "qmgr unix n - n 300 1 qmgr resident"]) as i:
        i.start()
        wait_until(lambda: i.pids("qmgr"), "the queue manager runs from the start")
        qmgr = i.pids("qmgr")[0]
        c, k = tcp(port), i.socket("kept")
        old = c.ask("pid").split()[1]
        i.services = [s for s in i.services if not s.startswith("gone")] + ["fresh unix n - n - - cleanup"]
        i.reload()
        is_eq(c.ask("still here"), "echo still here", "a session that was open goes on")
        is_eq(k.get(), "", "a connection that was idle is closed")
        wait_until(lambda: pid_of(port) != old, "a session of a new worker")
        ok(True, "new sessions come to a new worker")
        is_eq(i.socket("fresh").ask("x"), "echo x", "a new service is there")
        ok(not os.path.exists(os.path.join(i.spool, "public/gone")), "a removed one is not")
        wait_until(lambda: i.pids("qmgr") and i.pids("qmgr") != [qmgr], "a new queue manager replaces the old")
        ok(True, "the queue manager was replaced")
        c.close()
        wait_until(lambda: is_gone(old), "end of the old worker")
        ok(True, "the old worker ends with its last session")
        i.file("master.cf", "this is no service\n")
        pid = i.master_pid()
        i.ctl("reload")
        like(i.wait_log("error: "), r"error: the configuration stays as it was: .*master\.cf", "a bad master.cf is refused")
        is_eq(tcp(port).ask("x"), "echo x", "and changes nothing")
        is_eq(i.master_pid(), pid, "master is the same process")


def test_wakeup():
    with Echo(["pickup unix n - n 1 1 pickup wake", "lazy unix n - n 1? 1 pickup wake", "pipe fifo n - n - 1 pickup wake",
               "log unix-dgram n - n - 1 smtp"]) as i:
        i.start()
        woken = lambda: open(os.path.join(i.spool, "woken")).read() if os.path.exists(os.path.join(i.spool, "woken")) else ""
        if os.geteuid() == 0:
            # The test daemon writes where only the mail owner of a real system never needs to.
            os.chmod(i.spool, 0o777)
        wait_until(lambda: woken().count("pickup wakeup") >= 2, "two wake-ups")
        ok(True, "wake-ups come at the start and in intervals")
        ok("lazy" not in woken(), "with ? only after it was used")
        is_eq(i.cmd("postkick", "public", "pipe", "W").returncode, 0, "postkick to a FIFO")
        wait_until(lambda: "pipe wakeup" in woken(), "the FIFO's wake-up")
        is_eq(i.cmd("postkick", "public", "lazy", "W").returncode, 0, "postkick to a socket")
        wait_until(lambda: woken().count("lazy wakeup") >= 2, "wake-ups of the used service")
        is_eq(i.cmd("postkick", "public", "log", "hello").returncode, 0, "postkick to a datagram socket")
        wait_until(lambda: "log hello" in woken(), "the datagram")
        is_eq(i.cmd("postkick", "public", "nosuch", "W").returncode, 1, "postkick to nobody")
        is_eq(i.cmd("postkick", "elsewhere", "x", "W").returncode, 1, "postkick to a bad class")


def test_idle_end():
    with Echo(["once unix n - n - - smtp slow-end"], main={"max_idle": "1s"}) as i:
        i.start()
        os.chmod(i.spool, 0o777)
        c = i.socket("once")
        old = c.ask("pid").split()[1]
        c.close()
        wait_until(lambda: os.path.exists(os.path.join(i.spool, "woken")), "the end of an idle worker begins")
        new = i.socket("once").ask("pid").split()[1]
        ok(new != old and not is_gone(old), "nobody waits for a worker that takes its time to end")


def test_sandbox():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd sandbox" % port]) as i:
        i.start()
        like(tcp(port).ask("exec"), r"^exec (EPERM|EACCES)$", "a program that faces the network cannot run others")


def test_chroot():
    if os.geteuid() != 0:
        return
    with Echo(["jail unix n - y - - smtp"]) as i:
        i.start()
        is_eq(i.socket("jail").ask("id").split()[3], "/", "chroot to the queue directory")


def test_master_dies():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd" % port]) as i:
        i.start()
        c = tcp(port)
        worker = c.ask("pid").split()[1]
        i.kill(i.master_pid())
        wait_until(lambda: is_gone(worker), "end of the worker without master")
        ok(True, "workers end when master has gone")
        i.start()
        is_eq(tcp(port).ask("x"), "echo x", "and the system can be started again")


def test_bind_failure():
    for log in [], ["postlog unix-dgram n - n - 1 postlogd"]:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            with Echo(log + ["%d inet n - n - - smtpd" % s.getsockname()[1]], names=["smtpd", "postlogd"]) as i:
                is_eq(i.ctl("start").returncode, 1, "an address in use: no start")
                like(i.log(), r"fatal: .*Address already in use", "and the reason")


def test_abort_and_foreground():
    port = free_port()
    with Echo(["%d inet n - n - - smtpd" % port]) as i:
        i.start()
        c = tcp(port)
        master = i.master_pid()
        i.ctl("abort", check=True)
        ok(is_gone(master), "abort ends it")
        import subprocess
        p = subprocess.Popen([os.path.join(i.build, "bin/postern"), "start-fg"], env=i.env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        i.wait_log("daemon started", count=2)
        is_eq(tcp(port).ask("x"), "echo x", "start-fg serves")
        p.send_signal(signal.SIGINT)
        is_eq(p.wait(15), 0, "Ctrl-C ends it")


def test_options():
    with Echo([]) as i:
        master = os.path.join(i.daemons, "master")
        i.ctl("check", check=True)
        is_eq(i.cmd(master, "-t").returncode, 0, "master -t: not running")
        i.start()
        is_eq(i.cmd(master, "-t").returncode, 1, "master -t: running")
        is_eq(i.cmd(master, "-d").returncode, 1, "a second master")
        i.stop()
        r = i.cmd(master, "-d", "-e", "0", timeout=15)
        is_eq(r.returncode, 0, "master -e 0 ends by itself")
        is_eq(i.cmd(os.path.join(i.daemons, "smtpd"), check=False).returncode, 1, "a daemon started by hand")
        r = i.cmd(os.path.join(i.daemons, "smtpd"), "-S", input="one\ntwo\n")
        is_eq(r.stdout, "hello local\necho one\necho two\n", "-S: a session on standard input and output")
        is_eq(i.ctl("nonsense").returncode, 1, "an unknown action")


def test_disabled():
    a, b = free_port(), free_port()
    services = ["%d inet n - n - - smtpd" % a, "127.0.0.1:%d inet n - n - - smtpd" % b, "cleanup unix n - n - 0 cleanup"]
    is_open = lambda port: socket.socket().connect_ex(("127.0.0.1", port)) == 0
    with Echo(services, main={"master_service_disable": "!127.0.0.1:%d/INET, inet" % b}) as i:
        i.start()
        i.wait_log("daemon started")
        ok(is_open(b) and not is_open(a), "master_service_disable: a type but for one name")
        ok(os.path.exists(os.path.join(i.spool, "public/cleanup")), "other types are there")
        i.main["master_service_disable"] = "127.0.0.1:%d/inet unix" % b
        i.write_config()
        i.reload()
        ok(is_open(a) and not is_open(b), "a reload opens what is no longer disabled, and closes what is")
        ok(not os.path.exists(os.path.join(i.spool, "public/cleanup")), "also a UNIX socket")


run(test_basic, test_crash, test_throttle, test_limits, test_companion, test_reload, test_wakeup, test_idle_end, test_sandbox, test_chroot,
    test_master_dies, test_bind_failure, test_abort_and_foreground, test_options, test_disabled)
