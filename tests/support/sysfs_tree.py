"""A folder that looks like a machine's /sys, made from a text file of tests/fixtures/thermal.

The format stands in sysfs_tree.h, which reads the same files for the unit tests.
"""

import os
import pathlib
import shutil

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "thermal"


class SysfsTree:
    """The tree `name` ("jetson_orin_nano_jp6") below `root`, a folder that is made if needed."""

    def __init__(self, name, root):
        self.root = pathlib.Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self._load(name + ".tree")

    def path(self, sys_path):
        """The path of /sys/x below the root."""
        return self.root / sys_path.lstrip("/")

    def set(self, sys_path, text):
        """Writes into the file that is there, as a driver's value changes."""
        self.path(sys_path).parent.mkdir(parents=True, exist_ok=True)
        self.path(sys_path).write_text(text, encoding="ascii")

    def replace(self, sys_path, text):
        """Puts a new file in the place of the old one by rename."""
        fresh = pathlib.Path(str(self.path(sys_path)) + ".new")
        fresh.write_text(text, encoding="ascii")
        fresh.rename(self.path(sys_path))

    def remove(self, sys_path):
        """Removes a file, a link or a folder with all in it; nothing there is fine."""
        path = self.path(sys_path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def apply(self, line):
        """One line of the format."""
        if line.startswith("/"):
            file, text = line.split(" = ", 1)
            self.set(file, text[:-2] + "\0" if text.endswith("\\0") else text + "\n")
            return
        directive, rest = line.split(" ", 1)
        if directive == "!include":
            self._load(rest)
        elif directive == "!mode":
            mode, file = rest.split(" ", 1)
            self.path(file).chmod(int(mode, 8))
        elif directive == "!link":
            link, target = rest.split(" -> ", 1)
            self.path(link).parent.mkdir(parents=True, exist_ok=True)
#The system resolves "..", and only through folders that are there.
            os.makedirs(os.path.normpath(self.path(link).parent.resolve() / target), exist_ok=True)
            self.path(link).symlink_to(target)
        else:
            self._special(directive, rest)

    def _special(self, directive, rest):
        count, file = rest.split(" ", 1) if directive == "!digits" else ("0", rest)
        self.remove(file)
        if directive == "!remove":
            return
        self.path(file).parent.mkdir(parents=True, exist_ok=True)
        if directive == "!digits":
            self.set(file, "7" * int(count))
        elif directive == "!folder":
            self.path(file).mkdir()
        elif directive == "!fifo":
            os.mkfifo(self.path(file))
        else:
            raise ValueError(f"not understood: {directive} {rest}")

    def _load(self, name):
        lines = (FIXTURES / name).read_text(encoding="ascii").splitlines()
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            try:
                self.apply(line)
            except (OSError, ValueError) as error:
                raise ValueError(f"{name}:{number}: {error}") from error
