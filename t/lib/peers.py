"""Real programs on the other side: for t/60-peers. Root only; Debian packages, see "configure --install-deps=peers".

    peers.isolate("dovecot")            # first of all: own network, mounts and processes; skips when something is missing
    with peers.Dovecot() as d: ...

Everything a peer writes is below a scratch folder of its own. Its processes end with the test, whatever happens."""
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from instance import Instance, wait_until
from tap import skip_all

PACKAGES = {  # what a test names: (programs that must be there, Debian packages)
    "dovecot": (["/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp", "/usr/lib/dovecot/imap"], "dovecot-lmtpd dovecot-imapd"),
    "swaks": (["/usr/bin/swaks"], "swaks"),
    "msmtp": (["/usr/bin/msmtp"], "msmtp"),
    "postfix": (["/usr/sbin/postfix", "/usr/sbin/smtp-source", "/usr/sbin/smtp-sink"], "postfix"),
    "exim": ([], "exim4-daemon-light"),
    "amavis": (["/usr/sbin/amavisd", "/etc/amavis/conf.d/20-debian_defaults"], "amavisd-new"),
    "pflogsumm": (["/usr/sbin/pflogsumm"], "pflogsumm"),
    "libmilter": (["/usr/include/libmilter/mfapi.h", "/usr/bin/cc"], "libmilter-dev"),
    "opendkim": (["/usr/sbin/opendkim", "/usr/sbin/opendkim-genkey"], "opendkim opendkim-tools"),
    "opendmarc": (["/usr/sbin/opendmarc"], "opendmarc"),
    "rspamd": (["/usr/bin/rspamd"], "rspamd"),
    "spamass-milter": (["/usr/sbin/spamass-milter", "/usr/sbin/spamd", "/usr/bin/spamc"], "spamass-milter spamd spamassassin"),
    "clamav-milter": (["/usr/sbin/clamav-milter", "/usr/sbin/clamd"], "clamav-milter clamav-daemon"),
    "postgrey": (["/usr/sbin/postgrey"], "postgrey"),
    "spf-python": (["/usr/bin/policyd-spf"], "postfix-policyd-spf-python"),
    "spf-perl": (["/usr/sbin/postfix-policyd-spf-perl"], "postfix-policyd-spf-perl"),
}
MAILBOX = (5000, 5000)  # owner of mailboxes
_up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # struct ifreq: IFF_UP, IFF_RUNNING


def isolate(*needs):
    """Runs the test again in its own namespaces."""
    if os.geteuid() != 0:
        skip_all("peers are started in namespaces: needs root")
    for n in needs:
        programs, packages = PACKAGES[n]
        if not all(os.path.exists(p) for p in programs):
            skip_all("%s is not installed (Debian: %s)" % (n, packages))
    if "exim" in needs and not Exim.unpack():
        skip_all("exim is not installed and could not be downloaded (Debian: exim4-daemon-light)")
    if os.environ.get("POSTERN_PEERS") != "isolated":
        os.environ["POSTERN_PEERS"] = "isolated"
        args = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B"]
        os.execvp("unshare", args + [os.path.realpath(sys.argv[0])])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, _up)  # SIOCSIFFLAGS


def resolver():
    """Names are asked for at 127.0.0.1."""
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("nameserver 127.0.0.1\n")
        f.flush()
        os.chmod(f.name, 0o644)
        subprocess.run(["mount", "--bind", f.name, "/etc/resolv.conf"], check=True)


class syslog:
    """/dev/log of this test, and what was said there."""

    def __init__(self):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", d], check=True)
            for n in ("null", "zero", "random", "urandom", "tty"):
                open(os.path.join(d, n), "w").close()
                subprocess.run(["mount", "--bind", "/dev/" + n, os.path.join(d, n)], check=True)
            subprocess.run(["mount", "--move", d, "/dev"], check=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        self.lines = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            self.lines.append(self.sock.recv(65536).decode("utf-8", "replace"))

    def find(self, pattern):
        return [l for l in self.lines if re.search(pattern, l)]


def gateway(services=(), **main):
    """An instance with its SMTP server on port 2525 that relays for 127.0.0.1 (not started)."""
    main.setdefault("myhostname", "gw.example.test")
    return Instance(main=main, services=["2525 inet n - n - - smtpd"] + list(services))


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Peer:
    """A program that serves: config() writes what it needs below self.dir, args() is its command line."""
    port = None
    patience = 20  # seconds until it listens
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="postern-peer-")
        os.chmod(self.dir, 0o755)
        self.process = None

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def folder(self, name, owner=(0, 0), mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path(name), *owner)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def said(self):
        try:
            return open(self.path("output"), errors="replace").read()
        except OSError:
            return ""

    def __enter__(self):
        self.config()
        with open(self.path("output"), "w") as out:
            self.process = subprocess.Popen(self.args(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env, cwd="/")
        wait_until(lambda: listens(self.port) or self.process.poll() not in (None, 0), "%s on port %d" % (type(self).__name__, self.port), self.patience)
        if not listens(self.port):
            raise AssertionError("%s did not start: %s" % (type(self).__name__, self.said()))
        return self

    def __exit__(self, *exc):
        if exc[0]:
            print("# %s said:\n# %s" % (type(self).__name__, self.said().strip().replace("\n", "\n# ")), flush=True)
        self.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)


class Dovecot(Peer):
    """LMTP on 127.0.0.1:2400 and self.socket, IMAP on 1143; users: addresses, password "secret"."""
    port = 1143

    def __init__(self, users):
        super().__init__()
        self.users, self.socket = users, self.path("run", "lmtp-for-gateway")

    def config(self):
        self.folder("mail", MAILBOX, 0o700)
        self.folder("run")
        self.write("users", "".join("%s:{PLAIN}secret:%d:%d::%s/mail/%s::\n" % ((u,) + MAILBOX + (self.dir, u)) for u in self.users))
        self.write("dovecot.conf", """\
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
postmaster_address = postmaster@store.test
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = 2400
  }}
  unix_listener {socket} {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""".format(dir=self.dir, socket=self.socket, port=self.port))

    def args(self):
        return ["/usr/sbin/dovecot", "-F", "-c", self.path("dovecot.conf")]

    def said(self):
        try:
            return super().said() + open(self.path("log"), errors="replace").read()
        except OSError:
            return super().said()


class Amavis(Peer):
    """amavisd-new on 10024 with Debian's configuration and its own directories; what it passes goes to 10025. more: for 50-user."""
    port = 10024
    patience = 120

    def __init__(self, more=""):
        super().__init__()
        self.more, self.mounts = more, []

    def bind(self, source, target):
        subprocess.run(["mount", "--bind", source, target], check=True)
        self.mounts.append(target)

    def config(self):
        import pwd
        user = pwd.getpwnam("amavis")
        for name in ("home", "home/tmp", "home/db", "home/virusmails", "run"):
            self.folder(name, (user.pw_uid, user.pw_gid), 0o750)
        os.makedirs("/run/amavis", exist_ok=True)
        self.bind(self.path("home"), "/var/lib/amavis")
        self.bind(self.path("run"), "/run/amavis")
        # The name comes from the machine otherwise, which may have none.
        self.bind(self.write("50-user", 'use strict;\n$myhostname = "gw.example.test";\n$mydomain = "example.test";\n$DO_SYSLOG = 0;\n$LOGFILE = "/var/lib/amavis/log";\n%s\n1;\n' % self.more),
                  "/etc/amavis/conf.d/50-user")

    def args(self):
        return ["/usr/sbin/amavisd", "foreground"]

    def said(self):
        try:
            return super().said() + open(self.path("home/log"), errors="replace").read()
        except OSError:
            return super().said()

    def end(self):
        super().end()
        while self.mounts:
            subprocess.run(["umount", "-l", self.mounts.pop()])


class Sink(Peer):
    """smtp-sink on 2526; every message becomes a file of self.path("got")."""
    port = 2526

    def config(self):
        self.folder("got", MAILBOX, 0o777)

    def args(self):
        return ["/usr/sbin/smtp-sink", "-u", "nobody", "-R", self.path("got"), "-d", "%M.", "127.0.0.1:%d" % self.port, "100"]

    def messages(self):
        """Complete ones, as bytes."""
        out = []
        for f in sorted(glob.glob(self.path("got", "*"))):
            with open(f, "rb") as g:
                out.append(g.read())
        return out


class Postfix(Peer):
    """A real Postfix on 2627: mail for back.test and home.test goes to 127.0.0.1:2525, refused@ is refused."""
    port = 2627

    def config(self):
        self.folder("conf")
        self.folder("spool")
        import pwd
        user = pwd.getpwnam("postfix")
        self.folder("data", (user.pw_uid, user.pw_gid), 0o700)
        self.folder("log")
        self.write("conf/main.cf", """\
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/log/mail.log
maillog_file_prefixes = {dir}
myhostname = real.postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
disable_dns_lookups = yes
transport_maps = inline:{{back.test=smtp:[127.0.0.1]:2525, home.test=smtp:[127.0.0.1]:2525}}
smtpd_recipient_restrictions = check_recipient_access inline:{{{{refused@back.test = 550 5.7.9 not here}}}}, permit_mynetworks, reject
""".format(dir=self.dir))
        self.write("conf/master.cf", "\n".join([
            "127.0.0.1:%d inet n - n - - smtpd" % self.port, "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
            "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "showq unix n - n - - showq", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
            "tlsmgr unix - - n 1000? 1 tlsmgr", "postlog unix-dgram n - n - 1 postlogd"]) + "\n")

    def args(self):
        return ["/usr/sbin/postfix", "-c", self.path("conf"), "start"]

    def said(self):
        try:
            return super().said() + open(self.path("log/mail.log"), errors="replace").read()
        except OSError:
            return super().said()

    def end(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.path("conf"), "abort"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Exim(Peer):
    """A real Exim on 2628: mail for back.test and home.test goes to 127.0.0.1:2525, refused@ is refused."""
    port = 2628
    ROOT = "/var/tmp/postern-peer-exim"
    ID = 64501

    @classmethod
    def program(cls):
        """It cannot be installed beside Postfix; then it lies unpacked in a scratch folder."""
        return next((p for p in ("/usr/sbin/exim4", cls.ROOT + "/usr/sbin/exim4") if os.path.exists(p)), None)

    @classmethod
    def unpack(cls):
        if cls.program():
            return True
        shutil.rmtree(cls.ROOT + ".new", ignore_errors=True)
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o777)
            for p in ("exim4-base", "exim4-daemon-light"):
                if subprocess.run(["apt-get", "download", p], cwd=d, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                    return False
            for deb in glob.glob(d + "/*.deb"):
                subprocess.run(["dpkg", "-x", deb, cls.ROOT + ".new"], check=True)
        os.rename(cls.ROOT + ".new", cls.ROOT)
        return bool(cls.program())

    def user(self):
        """Its account is built into it; this namespace sees account files that have it."""
        import pwd
        try:
            u = pwd.getpwnam("Debian-exim")
            return u.pw_uid, u.pw_gid
        except KeyError:
            pass
        # It runs itself again by this name.
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s/usr/sbin:/usr/sbin" % self.ROOT, "/usr/sbin"], check=True)
        for name, line in (("passwd", "Debian-exim:x:%d:%d::/nonexistent:/usr/sbin/nologin\n"), ("group", "Debian-exim:x:%d:%.0s\n")):
            text = open("/etc/" + name).read()
            subprocess.run(["mount", "--bind", self.write(name, text + line % (self.ID, self.ID)), "/etc/" + name], check=True)
        return self.ID, self.ID

    def config(self):
        owner = self.user()
        self.folder("spool", owner, 0o750)
        self.folder("log", owner, 0o750)
        self.write("exim.conf", """\
primary_hostname = real.exim.test
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/spool/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
message_size_limit = 50M
never_users = root
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
prdr_enable = false
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = 5.7.9 not here
       local_parts = refused
  accept hosts = 127.0.0.0/8
begin routers
back:
  driver = manualroute
  domains = back.test : home.test
  transport = back
  route_list = * 127.0.0.1
  self = send
begin transports
back:
  driver = smtp
  port = 2525
  allow_localhost = true
  hosts_try_dane =
  hosts_avoid_tls = *
begin retry
* * F,1h,1m
""".format(dir=self.dir, port=self.port))

    def args(self):
        return ["/usr/sbin/exim4", "-C", self.path("exim.conf"), "-bdf", "-q1m"]

    def said(self):
        out = super().said()
        for f in glob.glob(self.path("log", "*")):
            out += open(f, errors="replace").read()
        return out
