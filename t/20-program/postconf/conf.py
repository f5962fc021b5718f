"""A configuration directory and postconf on it."""
import collections
import os
import shutil
import subprocess
import tempfile

from instance import BUILD

Result = collections.namedtuple("Result", "rc out err")


class Conf:
    def __init__(self, main, master=""):
        self.dir = tempfile.mkdtemp(prefix="postconf-")
        self.main = "compatibility_level = 3.6\n" + main
        self.master = master
        self.write("main.cf", self.main)
        self.write("master.cf", master)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def read(self, name):
        with open(os.path.join(self.dir, name)) as f:
            return f.read()

    def __call__(self, *args):
        env = {k: v for k, v in os.environ.items() if k != "MAIL_CONFIG"}
        p = subprocess.run([os.path.join(BUILD, "bin/postconf"), "-c", self.dir, *args], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=30, env=env)
        return Result(p.returncode, p.stdout, p.stderr)
