"""Guest software: archives, package sources, the cache; the guest made of it boots under QEMU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.lib import cpio, debian, guest, sysroot  # noqa: E402


def obtain(*args: str) -> list[str]:
    r = subprocess.run([ROOT / "scripts/guest", *args], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stdout.split()


def test_cpio_is_read_by_cpio(tmp_path: Path) -> None:
    data = cpio.archive(
        [
            cpio.file("a/b/c", b"hello", 0o755),
            cpio.symlink("a/link", "b/c"),
            cpio.chardev("dev/console", 5, 1),
            cpio.file("empty", b""),
        ]
    )
    r = subprocess.run(["cpio", "-tvn", "--quiet"], input=data, capture_output=True, check=True)
    rows = [(w[0], w[-1]) for w in (line.split() for line in r.stdout.decode().splitlines())]
    assert rows == [
        ("drwxr-xr-x", "a"), ("drwxr-xr-x", "a/b"), ("-rwxr-xr-x", "a/b/c"), ("lrwxrwxrwx", "b/c"),
        ("drwxr-xr-x", "dev"), ("crw-------", "dev/console"), ("-rw-r--r--", "empty"),
    ]  # fmt: skip
    assert b"5,   1" in r.stdout
    subprocess.run(["cpio", "-id", "--quiet", "a/*"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "a/link").read_bytes() == b"hello"


def test_cpio_refuses_two_of_a_name() -> None:
    with pytest.raises(ValueError, match="x is listed twice"):
        cpio.archive([cpio.file("x", b""), cpio.file("x", b"")])


MODERN = """# comment
Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/k.gpg
"""


@pytest.mark.parametrize(
    "files, want",
    [
        ({"sources.list.d/debian.sources": MODERN}, debian.Source("http://mirror.example/debian", "/usr/share/keyrings/k.gpg")),
        ({"sources.list": "deb http://old.example/debian bookworm main # x\n"}, debian.Source("http://old.example/debian", "")),
        (
            {"sources.list": "#deb http://a/ bookworm main\ndeb [arch=amd64 signed-by=/k] http://b/ bookworm contrib main\n"},
            debian.Source("http://b/", "/k"),
        ),
        ({"sources.list.d/x.sources": "Enabled: no\n" + MODERN.split("\n\n")[1], "sources.list": "deb http://c/ bookworm main"},
         debian.Source("http://c/", "")),
    ],
)  # fmt: skip
def test_machine_source(tmp_path: Path, files: dict[str, str], want: debian.Source) -> None:
    release = tmp_path / "os-release"
    release.write_text('VERSION_CODENAME=bookworm\nNAME="Debian"\n')
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert debian.machine_source(tmp_path, release) == want


def test_no_machine_source(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text("VERSION_CODENAME=bookworm\n")
    with pytest.raises(debian.FetchError, match="no source for Debian bookworm main"):
        debian.machine_source(tmp_path, release)


def test_modules_come_after_what_they_need() -> None:
    modules = {
        "net": b"\0depends=failover,net-failover\0",
        "net_failover": b"\0depends=failover\0",
        "failover": b"\0depends=\0",
        "rng": b"no such section",
    }
    assert guest.module_order(("net", "rng", "core"), modules, {"core"}) == ["failover", "net_failover", "net", "rng"]
    with pytest.raises(debian.FetchError, match="no module missing"):
        guest.module_order(("missing",), modules, set())


def test_damaged_package_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "p.deb").write_bytes(b"contents")
    record = tmp_path / "p.json"
    record.write_text(json.dumps({"package": "p", "version": "1", "file": "p.deb",
                                  "sha256": debian.sha256_file(tmp_path / "p.deb")}))
    assert debian.cached(record)
    (tmp_path / "p.deb").write_bytes(b"c0ntents")
    assert debian.cached(record) is None
    record.write_text("{")
    assert debian.cached(record) is None
    assert debian.cached(tmp_path / "absent.json") is None


def test_damaged_output_is_made_again() -> None:
    path = Path(obtain("opensbi", "riscv64")[0])
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    assert Path(obtain("opensbi", "riscv64")[0]).read_bytes() == good


def test_the_machine_apt_state_is_untouched() -> None:
    apt = next((Path(os.environ.get("ISOMER_CACHE") or ROOT / "out/cache") / "apt").glob("trixie-*"), None)
    if apt is None:
        obtain("opensbi", "riscv64", "--refresh")
    assert not list(Path("/var/lib/apt/lists").glob("*trixie*"))
    assert "riscv64" not in subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("args, message", [
    (["kernel", "vax"], "no product 'kernel vax'"), (["teapot"], "no product 'teapot"), (["--what"], "required"),
])  # fmt: skip
def test_usage(args: list[str], message: str) -> None:
    r = subprocess.run([ROOT / "scripts/guest", *args], capture_output=True, text=True)
    assert r.returncode == 120 and message in r.stderr and r.stdout == ""


def test_unreachable_mirror_is_one_clear_error(tmp_path: Path) -> None:
    env = {**os.environ, "ISOMER_CACHE": str(tmp_path), "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    r = subprocess.run([ROOT / "scripts/guest", "opensbi", "riscv64"], capture_output=True, text=True, env=env)
    assert r.returncode == 121 and "apt-get update" in r.stderr and "Traceback" not in r.stderr


@pytest.mark.parametrize("bios", ["qemu's own", "trixie's"])
def test_guest_boots_under_qemu(bios: str) -> None:
    command = ["qemu-system-riscv64", "-M", "virt", "-m", "512M", "-nographic", "-device", "virtio-rng-device",
               "-kernel", obtain("kernel", "riscv64")[0], "-initrd", obtain("initrd", "riscv64")[0],
               "-append", "console=ttyS0 isomer.script=check"]  # fmt: skip
    if bios == "trixie's":
        command += ["-bios", obtain("opensbi", "riscv64")[0]]
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    out = r.stdout.decode(errors="replace").replace("\r", "")
    lines = out[out.index("ISOMER-READY") :].splitlines()
    assert lines[1].startswith("Linux ") and " riscv64 " in lines[1]
    # sha256sum of 8 MiB of zeros by coreutils
    zeros = subprocess.run(["sha256sum"], input=bytes(8 << 20), capture_output=True, check=True).stdout.decode()
    assert f"sha256: {zeros.strip()}" in lines
    rng = next(line for line in lines if line.startswith("hwrng:")).split()[1:]
    assert len(rng) == 16 and all(len(b) == 2 for b in rng)
    assert "CHECK-DONE" in lines and r.returncode == 0


# ---- sysroots -----------------------------------------------------------------------------------


def deb(tmp_path: Path, name: str, files: dict[str, str], links: dict[str, str] = {}) -> debian.Deb:  # noqa: B006
    tree = tmp_path / f"{name}.tree"
    for path, text in {"DEBIAN/control": f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n", **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, target in links.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    path = tmp_path / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, path], check=True, capture_output=True)
    return debian.Deb(path, name, "1", debian.sha256_file(path))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[sysroot.Sysroot, Path, list[int]]:
    """A sysroot of three made-up packages, its cache, and how often packages were asked for."""
    names = ("bin", "lib", "sbin")
    base = deb(tmp_path, "base-files", {f"usr/{n}/.keep": "" for n in names}, {n: f"usr/{n}" for n in names})
    users = deb(tmp_path, "base-passwd", {f"usr/share/base-passwd/{n}.master": "root:x:0\n" for n in ("passwd", "group")})
    other = deb(tmp_path, "a", {"usr/bin/tool": "tool"}, {"usr/lib/absolute": "/usr/lib/x", "usr/lib/relative": "../bin/tool"})
    asked: list[int] = []
    monkeypatch.setattr(sysroot.Sysroot, "debs", lambda self, cache, stamp, refresh: asked.append(1) or [other, users, base])
    return sysroot.Sysroot("vax", ("a",)), tmp_path / "cache", asked


def test_sysroot_is_made_once(small: tuple[sysroot.Sysroot, Path, list[int]]) -> None:
    product, cache, asked = small
    root = product.obtain(cache)[0]
    assert (root / "bin/tool").read_text() == "tool" and (root / "etc/passwd").read_text() == "root:x:0\n"
    assert os.readlink(root / "lib/absolute") == "/usr/lib/x" and os.readlink(root / "lib/relative") == "../bin/tool"
    assert product.obtain(cache) == [root] and len(asked) == 1
    assert sysroot.Sysroot("vax", ("b",)).obtain(cache) == [root] and len(asked) == 2  # other packages


@pytest.mark.parametrize("harm", [
    lambda root: (root / "usr/bin/tool").write_text("t00l"), lambda root: (root / "usr/bin/tool").unlink(),
    lambda root: (root / "usr/lib/absolute").unlink() or (root / "usr/lib/absolute").symlink_to("/x"),
    lambda root: (root.parent / "sysroot.json").write_text("{"), lambda root: (root.parent / "sysroot.files").unlink(),
])  # fmt: skip
def test_damaged_sysroot_is_made_again(small: tuple[sysroot.Sysroot, Path, list[int]], harm: Callable[[Path], object]) -> None:
    product, cache, asked = small
    root = product.obtain(cache)[0]
    os.utime(root / "usr/bin/tool", (1, 1))
    sysroot.write_atomic(root.parent / "sysroot.files", sysroot.manifest(root).encode())
    harm(root)
    assert product.obtain(cache) == [root] and len(asked) == 2
    assert (root / "usr/bin/tool").read_text() == "tool" and os.readlink(root / "usr/lib/absolute") == "/usr/lib/x"


def test_half_a_sysroot_does_not_count(small: tuple[sysroot.Sysroot, Path, list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    product, cache, asked = small
    with monkeypatch.context() as m:
        m.setattr(sysroot, "manifest", lambda root: (_ for _ in ()).throw(OSError(28, "No space left on device", str(root))))
        with pytest.raises(OSError):
            product.obtain(cache)
    assert product.obtain(cache)[0].is_dir() and len(asked) == 2
    with monkeypatch.context() as m:
        m.setattr(sysroot, "assemble", lambda debs, root: (_ for _ in ()).throw(debian.FetchError("no")))
        with pytest.raises(debian.FetchError):
            sysroot.Sysroot("vax", ("b",)).obtain(cache)
    assert not list((cache / "vax").glob(".*"))


def test_sysroot_names_and_hashes() -> None:
    """The record names every package with its hash; the programs that tests use are there."""
    root = Path(obtain("sysroot", "riscv64")[0])
    rows = {r["package"]: r for r in json.loads((root.parent / "sysroot.json").read_text())["packages"]}
    assert set(sysroot.PACKAGES) <= rows.keys() and not sysroot.LEFT_OUT & rows.keys()
    assert all(len(r["sha256"]) == 64 for r in rows.values())
    for program in "bash cat python3 perl sqlite3 gcc git openssl xz zstd gawk bc lua5.4 find sed grep tar gzip diff stress-ng".split():
        assert (root / "usr/bin" / program).exists(), program
    assert (root / "usr/lib/riscv64-linux-musl/libc.a").exists() and (root / "usr/include/csmith/csmith.h").exists()
    assert (root / "bin/bash").read_bytes()[18:20] == b"\xf3\0"  # e_machine
