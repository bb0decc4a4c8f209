"""A directory of unpacked Debian packages with all they depend on: what programs of another ISA find under `-L`,
and the same versions for the host as the oracle. Not responsible for running anything in it (run.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import stat
from pathlib import Path

from .debian import Apt, Deb, FetchError, locked, log, parse_deb822, sha256_file, unpack, write_atomic

RECIPE = 1  # raise when the same packages become a different directory
SUITE = "trixie"

PACKAGES = (
    # what every Debian system has and packages need not name
    "base-files base-passwd bash coreutils dash diffutils findutils grep gzip hostname libc-bin ncurses-base sed tar"
    # programs that tests run
    " bc csmith gawk git lua5.4 openssl perl python3 libpython3.13-testsuite sqlite3 stress-ng xz-utils zstd"
    # compilers and libraries to link with
    " gcc libc6-dev musl musl-dev libcsmith-dev"
).split()

# Graphics drivers that stress-ng's libraries load when a window is opened: 400 MB that nothing here uses.
LEFT_OUT = frozenset("libegl-mesa0 libllvm19 libz3-4 mesa-libgallium".split())


@dataclasses.dataclass(frozen=True)
class Sysroot:
    """A product of scripts/guest: the directory CACHE/ARCH/sysroot."""

    arch: str
    packages: tuple[str, ...] = tuple(PACKAGES)
    name: str = "sysroot"
    about: str = "directory of Debian programs and libraries"

    def obtain(self, cache: Path, refresh: bool = False) -> list[Path]:
        """The directory, made now unless it is there and whole."""
        where = (cache / self.arch).absolute()
        root, stamp, listing = where / self.name, where / f"{self.name}.json", where / f"{self.name}.files"
        with locked(cache):
            if not refresh and self.recorded(stamp) is not None and whole(root, listing):
                return [root]
            debs = self.debs(cache, stamp, refresh)
            fresh = where / f".{self.name}.tmp"
            remove(fresh)
            fresh.mkdir(parents=True)
            try:
                assemble(debs, fresh)
                stamp.unlink(missing_ok=True)  # from here to its return nothing in this place counts
                remove(root)
                fresh.rename(root)
            finally:
                remove(fresh)
            write_atomic(listing, manifest(root).encode())
            rows = [{"package": d.package, "version": d.version, "file": d.path.name, "sha256": d.sha256} for d in debs]
            write_atomic(stamp, (json.dumps({"key": self.key(), "packages": rows}, indent=1) + "\n").encode())
        return [root]

    def key(self) -> str:
        text = f"{RECIPE} {' '.join(self.packages)} without {' '.join(sorted(LEFT_OUT))}"
        return hashlib.sha256(text.encode()).hexdigest()

    def recorded(self, stamp: Path) -> list[dict[str, str]] | None:
        """The packages the directory was made of; None when it was made otherwise or not at all."""
        try:
            data = json.loads(stamp.read_text())
            return data["packages"] if data["key"] == self.key() else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as e:
            log(f"{stamp}: unreadable ({e}), making the directory again")
            return None

    def debs(self, cache: Path, stamp: Path, refresh: bool) -> list[Deb]:
        """All packages, verified; those of the record while they suffice."""
        store = cache / "debs" / f"{SUITE}-{self.arch}"
        store.mkdir(parents=True, exist_ok=True)
        rows = None if refresh else self.recorded(stamp)
        if rows and all(undamaged(store / r["file"], r["sha256"]) for r in rows):
            return [Deb(store / r["file"], r["package"], r["version"], r["sha256"]) for r in rows]
        apt = Apt(cache / "apt" / f"{SUITE}-{self.arch}", SUITE, self.arch)
        error: FetchError | None = None
        for force in (refresh, True):  # a list that is a day old may name files that are gone
            try:
                apt.update(force)
                return download(apt, closure(apt, self.packages), store)
            except FetchError as e:
                error = e
        assert error
        raise error


def closure(apt: Apt, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Fields of the packages and of everything they depend on, in the order of installation."""
    text = apt.run("apt-get", "install", "-y", "--no-install-recommends", "--print-uris", *names)
    files = re.findall(r"^'[^']*' (\S+)_\S+?_\w+\.deb \d+ ", text, re.M)
    wanted = [f for f in files if f not in LEFT_OUT]
    if not wanted:
        raise FetchError(f"{' '.join(names)} ({apt.suite} {apt.arch}): apt-get names no files to fetch")
    shown = parse_deb822(apt.run("apt-cache", "show", "--no-all-versions", *wanted))
    fields = {f["package"]: f for f in shown}
    return [fields[name] for name in wanted]


def download(apt: Apt, wanted: list[dict[str, str]], store: Path) -> list[Deb]:
    def path(fields: dict[str, str]) -> Path:
        version = fields["version"].replace(":", "%3a")
        return store / f"{fields['package']}_{version}_{fields['architecture']}.deb"

    absent = [f for f in wanted if not undamaged(path(f), f["sha256"])]
    if absent:
        log(f"{len(absent)} packages ({apt.suite} {apt.arch}, {sum(int(f['size']) for f in absent) / 1e6:.0f} MB)")
        for f in absent:
            path(f).unlink(missing_ok=True)
        apt.run("apt-get", "download", *(f"{f['package']}={f['version']}" for f in absent), cwd=store)
    for f in wanted:
        if not undamaged(path(f), f["sha256"]):
            raise FetchError(f"{path(f)}: not the file that the signed package list names")
    return [Deb(path(f), f["package"], f["version"], f["sha256"]) for f in wanted]


def undamaged(path: Path, sha256: str) -> bool:
    return path.exists() and sha256_file(path) == sha256


def assemble(debs: list[Deb], root: Path) -> None:
    """Unpacks everything and writes the few files that packages make when they are configured."""
    for deb in sorted(debs, key=lambda d: d.package != "base-files"):  # its links /bin, /lib, ... come first
        unpack(deb, root)
    for name in ("bin", "lib", "sbin"):
        if not (root / name).is_symlink():
            raise FetchError(f"{root}: /{name} is no link into /usr: packages of this suite are laid out otherwise")
    (root / "etc").mkdir(exist_ok=True)
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\nservices: files\n")
    if not (root / "usr/bin/awk").exists():
        (root / "usr/bin/awk").symlink_to("gawk")


def manifest(root: Path) -> str:
    """A line per file: path and what changes when it is written to."""
    lines = []
    for folder, dirs, files in os.walk(root):
        for name in (*dirs, *files):
            path = os.path.join(folder, name)
            lines.append(f"{os.path.relpath(path, root)}\t{identity(path)}\n")
    return "".join(sorted(lines))


def identity(path: str) -> str:
    s = os.lstat(path)
    if stat.S_ISLNK(s.st_mode):
        return f"-> {os.readlink(path)}"
    kind = stat.filemode(s.st_mode)
    return f"{kind} {s.st_size} {s.st_mtime_ns}" if stat.S_ISREG(s.st_mode) else kind


def whole(root: Path, listing: Path) -> bool:
    """Whether everything that was unpacked is there as it was unpacked; what came on top is not looked at."""
    try:
        for line in listing.read_text().splitlines():
            name, _, what = line.partition("\t")
            if identity(os.path.join(root, name)) != what:
                log(f"{root}: {name} was changed, unpacking again")
                return False
    except OSError as e:
        log(f"{e.filename}: {e.strerror}, unpacking again")
        return False
    return True


def remove(tree: Path) -> None:
    if tree.exists():
        shutil.rmtree(tree)
