"""Fetches Debian packages of any suite and architecture into a cache, through an apt set-up of its own.

The machine's apt state is only read: mirror address, keyring and proxy settings come from it. Not
responsible for what is made of the packages (guest.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SOURCE = "source"  # in place of an architecture: source packages
LISTS_MAX_AGE = 24 * 3600.0  # seconds before package lists are fetched anew


class FetchError(Exception):
    """What could not be obtained, and why; the text is for the user."""


@dataclasses.dataclass(frozen=True)
class Package:
    """A package to fetch.

    With `through`, `name` is a metapackage and the package is the first of its dependencies that
    matches this expression, plus `suffix` (Debian's unsigned kernels).
    """

    name: str
    suite: str
    arch: str
    through: str = ""
    suffix: str = ""


@dataclasses.dataclass(frozen=True)
class Deb:
    path: Path
    package: str
    version: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Source:
    uri: str
    signed_by: str


def log(text: str) -> None:
    print(f"guest: {text}", file=sys.stderr, flush=True)


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Readers see the old file or the whole new one."""
    tmp = path.with_name(path.name + f".{os.getpid()}.tmp")
    tmp.write_bytes(data)
    tmp.replace(path)


# ---- the machine's own mirror -------------------------------------------------------------------


def parse_deb822(text: str) -> Iterator[dict[str, str]]:
    """Stanzas of a deb822 file, keys in lower case, continuation lines kept."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in " \t" and key:
                fields[key] += "\n" + line
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            yield fields


def parse_one_line(text: str) -> Iterator[dict[str, str]]:
    """The same fields from the one-line format."""
    for line in text.splitlines():
        m = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if m:
            options = dict(o.split("=", 1) for o in (m[1] or "").split() if "=" in o)
            yield {
                "types": "deb",
                "uris": m[2],
                "suites": m[3],
                "components": m[4].strip(),
                "signed-by": options.get("signed-by", ""),
            }


def machine_source(etc: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")) -> Source:
    """Mirror and keyring the machine uses for its own Debian release."""
    m = re.search(r"^VERSION_CODENAME=\"?(\w+)", os_release.read_text(), re.M)
    codename = m[1] if m else "bookworm"
    stanzas: list[dict[str, str]] = []
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        stanzas += parse_deb822(path.read_text())
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        if path.exists():
            stanzas += parse_one_line(path.read_text())
    for s in stanzas:
        if s.get("enabled", "yes").lower() == "no" or "deb" not in s.get("types", "").split():
            continue
        if {codename, "stable"} & set(s.get("suites", "").split()) and "main" in s.get("components", "").split():
            return Source(s["uris"].split()[0], s.get("signed-by", ""))
    raise FetchError(f"{etc}: no source for Debian {codename} main: the mirror's address is taken from there")


# ---- a private apt ------------------------------------------------------------------------------


class Apt:
    """apt for one suite and architecture; everything it writes is under `root`."""

    def __init__(self, root: Path, suite: str, arch: str) -> None:
        self.root, self.suite, self.arch = root.absolute(), suite, arch
        self.conf = self.root / "apt.conf"

    def setup(self) -> None:
        source = machine_source()
        for d in ("lists/partial", "cache/archives/partial", "state", "log"):
            (self.root / d).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        signed = f"Signed-By: {source.signed_by}\n" if source.signed_by else ""
        (self.root / "debian.sources").write_text(
            f"Types: {'deb-src' if self.arch == SOURCE else 'deb'}\nURIs: {source.uri}\nSuites: {self.suite}\n"
            "Components: main\n" + ("" if self.arch == SOURCE else f"Architectures: {self.arch}\n") + signed
        )
        # Hooks of the machine (PackageKit and the like) must not hear of this.
        self.conf.write_text(
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n#clear APT::Architectures;\n"
            + "".join(
                f'{key} "{value}";\n'
                for key, value in {
                    "Dir::Etc::SourceList": self.root / "debian.sources",
                    "Dir::Etc::SourceParts": "-",
                    "Dir::Etc::Preferences": "-",
                    "Dir::Etc::PreferencesParts": "-",
                    "Dir::State": self.root / "state",
                    "Dir::State::Lists": self.root / "lists",
                    "Dir::State::Status": self.root / "status",
                    "Dir::Cache": self.root / "cache",
                    "Dir::Log": self.root / "log",
                    **({} if self.arch == SOURCE else {"APT::Architecture": self.arch, "APT::Architectures": self.arch}),
                    "APT::Sandbox::User": "root" if os.getuid() == 0 else "",
                    "Acquire::Languages": "none",
                    "Acquire::Retries": "3",
                    "Acquire::Check-Valid-Until": "false",
                }.items()
            )
        )

    def run(self, *args: str, cwd: Path | None = None) -> str:
        r = subprocess.run(
            [args[0], "-c", str(self.conf), "-q", *args[1:]],
            cwd=cwd or self.root,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if r.returncode != 0:
            what = " ".join(args)
            raise FetchError(f"{what} ({self.suite} {self.arch}): {r.stderr.strip() or r.stdout.strip()}")
        return r.stdout

    def update(self, force: bool) -> None:
        stamp = self.root / "updated"
        if not force and stamp.exists() and 0 <= time.time() - stamp.stat().st_mtime < LISTS_MAX_AGE:
            return
        self.setup()
        log(f"package lists of {self.suite} {self.arch}")
        self.run("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
        stamp.touch()

    def show(self, name: str) -> dict[str, str]:
        """Fields of the newest version."""
        try:
            text = self.run("apt-cache", "show", "--no-all-versions", name)
        except FetchError as e:
            raise FetchError(f"no package {name} in {self.suite} {self.arch}: {e}") from None
        return next(parse_deb822(text))

    def resolve(self, p: Package) -> dict[str, str]:
        if not p.through:
            return self.show(p.name)
        depends = self.show(p.name).get("depends", "")
        for item in re.split(r"[,|]", depends):
            name = item.split("(")[0].strip()
            if re.match(p.through, name):
                return self.show(name + p.suffix)
        raise FetchError(f"{p.name}: none of its dependencies matches {p.through}: {depends}")


# ---- the cache ----------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One process at a time works in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def cached(record: Path) -> Deb | None:
    """The package a record names, if it is there and undamaged."""
    try:
        data = json.loads(record.read_text())
        deb = Deb(record.parent / data["file"], data["package"], data["version"], data["sha256"])
        if sha256_file(deb.path) == deb.sha256:
            return deb
        log(f"{deb.path.name}: damaged in the cache, fetching it again")
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as e:
        log(f"{record}: unreadable record ({e}), fetching again")
    return None


def fetch(p: Package, cache: Path, refresh: bool = False) -> Deb:
    """The package as a file under `cache`, verified. Uses the network only when it is not there."""
    store = cache / "debs" / f"{p.suite}-{p.arch}"
    store.mkdir(parents=True, exist_ok=True)
    record = store / f"{p.name}.json"
    if not refresh and (deb := cached(record)):
        return deb
    apt = Apt(cache / "apt" / f"{p.suite}-{p.arch}", p.suite, p.arch)
    error: FetchError | None = None
    for force in (refresh, True):  # a list that is a day old may name a file that is gone
        try:
            apt.update(force)
            fields = apt.resolve(p)
            name, version, want = fields["package"], fields["version"], fields["sha256"]
            log(f"{name} {version} ({p.suite} {fields['architecture']}, {int(fields['size']) / 1e6:.1f} MB)")
            path = store / Path(fields["filename"]).name
            path.unlink(missing_ok=True)
            apt.run("apt-get", "download", f"{name}={version}", cwd=store)
            path = max(store.glob(f"{name}_*.deb"), key=lambda f: f.stat().st_mtime)
            if (got := sha256_file(path)) != want:
                path.unlink()
                raise FetchError(f"{path.name}: SHA256 is {got}, the signed package list says {want}")
            record_text = {"package": name, "version": version, "sha256": want, "file": path.name}
            write_atomic(record, (json.dumps(record_text, indent=1) + "\n").encode())
            return Deb(path, name, version, want)
        except FetchError as e:
            error = e
    assert error
    raise error


def fetch_source(name: str, suite: str, cache: Path) -> Path:
    """The unpacked source of a package, patches applied; apt verifies it against the signed lists. Fetched once."""
    store = cache / "sources" / suite
    done = store / f"{name}.json"
    if done.exists() and (tree := store / json.loads(done.read_text())["tree"]).is_dir():
        return tree
    store.mkdir(parents=True, exist_ok=True)
    apt = Apt(cache / "apt" / f"{suite}-{SOURCE}", suite, SOURCE)
    apt.update(False)
    log(f"source of {name} ({suite})")
    with tempfile.TemporaryDirectory(dir=store) as tmp:
        apt.run("apt-get", "source", "--only-source", name, cwd=Path(tmp))
        trees = [p for p in Path(tmp).iterdir() if p.is_dir()]
        if len(trees) != 1:
            raise FetchError(f"source of {name}: {len(trees)} directories where one was expected")
        tree = store / trees[0].name
        shutil.rmtree(tree, ignore_errors=True)
        trees[0].rename(tree)
    write_atomic(done, (json.dumps({"tree": tree.name}) + "\n").encode())
    return tree


def members(deb: Deb) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    """Members of a package in archive order: path without './', entry, archive to read it from.

    The caller may stop early.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(deb.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proc:
        assert proc.stdout and proc.stderr
        try:
            with tarfile.open(fileobj=proc.stdout, mode="r|") as tar:
                for entry in tar:
                    yield entry.name.removeprefix("./"), entry, tar
            proc.stdout.read()
        except GeneratorExit:
            proc.kill()
            raise
        except tarfile.TarError as e:
            raise FetchError(f"{deb.path}: {e} {proc.stderr.read().decode(errors='replace').strip()}") from None
        message = proc.stderr.read().decode(errors="replace").strip()
    if proc.returncode != 0:
        raise FetchError(f"{deb.path}: dpkg-deb: {message}")


def read_member(entry: tarfile.TarInfo, tar: tarfile.TarFile) -> bytes:
    f = tar.extractfile(entry)
    if f is None:
        raise FetchError(f"{entry.name}: not a regular file in its package")
    return f.read()


def unpack(deb: Deb, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    r = subprocess.run(["dpkg-deb", "-x", str(deb.path), str(into)], capture_output=True, text=True)
    if r.returncode != 0:
        raise FetchError(f"{deb.path}: dpkg-deb -x: {r.stderr.strip()}")
