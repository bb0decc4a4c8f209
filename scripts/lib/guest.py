"""Makes guest software out of Debian packages: kernels, initial file systems, firmware, reference tools.

One row of PRODUCTS per (name, architecture). Fetching and verifying packages is debian.py's part.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import lzma
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from . import cpio
from .debian import Deb, FetchError, Package, fetch, locked, log, members, read_member, sha256_file, unpack, write_atomic
from .sysroot import Sysroot

RECIPE = 1  # raise when a recipe changes what it makes of the same packages
SUITE = "trixie"
INIT = Path(__file__).with_name("init.sh")

# Applets a script may name before `busybox --install`.
APPLETS = (
    "[ ash awk basename cat chmod clear cp cttyhack cut date dd df dirname dmesg echo env expr false find free grep"
    " head hexdump hostname id insmod kill ln ls lsmod mkdir mknod more mount mv od pidof poweroff printf ps pwd"
    " reboot rm rmmod sed seq setsid sh sha256sum sleep sort stat stty sync tail tar tee test time top touch tr true"
    " tty umount uname uniq uptime vi wc which xargs yes"
).split()


@dataclasses.dataclass(frozen=True)
class Product:
    """`make(debs, directory)` writes the outputs; they end up in CACHE/ARCH, host tools in CACHE/host."""

    name: str
    arch: str  # of the guest; "" for tools of the host
    packages: tuple[Package, ...]
    outputs: tuple[str, ...]
    make: Callable[[list[Deb], Path], None]
    about: str
    inputs: tuple[Path, ...] = ()  # files of the tree it is made from as well

    def obtain(self, cache: Path, refresh: bool = False) -> list[Path]:
        return obtain(self, cache, refresh)


# ---- recipes ------------------------------------------------------------------------------------


def make_kernel(pattern: str) -> Callable[[list[Deb], Path], None]:
    def make(debs: list[Deb], out: Path) -> None:
        for name, entry, tar in members(debs[0]):
            if re.fullmatch(pattern, name) and entry.isreg():
                (out / "Image").write_bytes(read_member(entry, tar))
                return
        raise FetchError(f"{debs[0].path.name}: no kernel ({pattern})")

    return make


def module_name(path: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", path.rsplit("/", 1)[-1]).replace("-", "_")


def decompress(name: str, data: bytes) -> bytes:
    if name.endswith(".xz"):
        return lzma.decompress(data)
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".ko"):
        return data
    raise FetchError(f"{name}: unknown compression")


def module_order(wanted: tuple[str, ...], modules: dict[str, bytes], builtin: set[str]) -> list[str]:
    """Names in the order in which they must be inserted, dependencies first, built-in ones left out."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name in builtin:
            return
        if name not in modules:
            raise FetchError(f"the kernel package has no module {name}")
        m = re.search(rb"\0?depends=([^\0]*)\0", modules[name])
        for dep in m[1].decode().split(",") if m else []:
            if dep:
                visit(dep.replace("-", "_"))
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def kernel_modules(deb: Deb, wanted: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """The wanted modules and what they depend on, decompressed, in insertion order."""
    packed: dict[str, tuple[str, bytes]] = {}
    builtin: set[str] = set()
    for name, entry, tar in members(deb):
        if not entry.isreg():
            continue
        if name.endswith("/modules.builtin"):
            builtin = {module_name(line) for line in read_member(entry, tar).decode().split()}
        elif re.search(r"/kernel/(drivers/(virtio|char|block|net)|lib|net/core|crypto)/.*\.ko(\.\w+)?$", name):
            packed[module_name(name)] = (name, read_member(entry, tar))

    class Lazy(dict[str, bytes]):
        def __contains__(self, key: object) -> bool:
            return key in packed

        def __missing__(self, key: str) -> bytes:
            self[key] = decompress(*packed[key])
            return self[key]

    modules = Lazy()
    return [(n, modules[n]) for n in module_order(wanted, modules, builtin)]


def make_initrd(modules: tuple[str, ...]) -> Callable[[list[Deb], Path], None]:
    def make(debs: list[Deb], out: Path) -> None:
        busybox_deb, kernel_deb = debs
        busybox = b""
        for name, entry, tar in members(busybox_deb):
            if name in ("bin/busybox", "usr/bin/busybox") and entry.isreg():
                busybox = read_member(entry, tar)
        if not busybox:
            raise FetchError(f"{busybox_deb.path.name}: no busybox")
        nodes = [cpio.directory(d) for d in ("bin", "dev", "etc", "modules", "proc", "root", "run", "sys", "tmp")]
        nodes += [cpio.chardev("dev/console", 5, 1), cpio.chardev("dev/null", 1, 3, 0o666)]
        nodes += [cpio.file("bin/busybox", busybox, 0o755), cpio.file("init", INIT.read_bytes(), 0o755)]
        nodes += [cpio.symlink(f"bin/{a}", "busybox") for a in APPLETS]
        order = kernel_modules(kernel_deb, modules)
        nodes += [cpio.file(f"modules/{name}.ko", data) for name, data in order]
        nodes.append(cpio.file("modules/order", "".join(f"{name}\n" for name, _ in order).encode()))
        (out / "initrd.cpio.gz").write_bytes(gzip.compress(cpio.archive(nodes), 6, mtime=0))

    return make


def make_copy(wanted: dict[str, str]) -> Callable[[list[Deb], Path], None]:
    """Copies single files: path in the package → output."""

    def make(debs: list[Deb], out: Path) -> None:
        found: set[str] = set()
        for deb in debs:
            for name, entry, tar in members(deb):
                if name in wanted and entry.isreg():
                    found.add(name)
                    target = out / wanted[name]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(read_member(entry, tar))
                    target.chmod(0o755 if entry.mode & 0o111 else 0o644)
        if missing := sorted(set(wanted) - found):
            raise FetchError(f"{debs[0].path.name}: no {', '.join(missing)} in it")

    return make


def make_capstone(debs: list[Deb], out: Path) -> None:
    for deb in debs:
        unpack(deb, out / "capstone")
    library = sorted((out / "capstone").glob("usr/lib/*/libcapstone.so.5"))
    if not library:
        raise FetchError(f"{debs[0].path.name}: no libcapstone.so.5")
    for name, target in (("include", out / "capstone/usr/include"), ("libcapstone.so.5", library[0])):
        (out / name).symlink_to(os.path.relpath(target, out))


def make_torture(debs: list[Deb], out: Path) -> None:
    """The self-checking programs out of the compiler's source archive, which lies packed in its package."""
    where = "/gcc/testsuite/gcc.c-torture/execute/"
    for name, entry, tar in members(debs[0]):
        if re.search(r"/gcc-[\d.]+(-dfsg)?\.tar\.\w+$", name) and entry.isreg():
            with tarfile.open(fileobj=tar.extractfile(entry), mode="r|*") as source, tarfile.open(out / "c-torture.tar", "w") as made:
                for e in source:
                    if where in f"/{e.name}" and e.isreg():
                        data = source.extractfile(e)
                        e.name = e.name[f"/{e.name}".index(where) + len(where) - 1 :]
                        made.addfile(e, data)
            return
    raise FetchError(f"{debs[0].path.name}: no source archive")


# ---- the table ----------------------------------------------------------------------------------


def host_arch() -> str:
    return subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()


def products() -> dict[tuple[str, str], Product | Sysroot]:
    host = host_arch()
    rv_kernel = Package("linux-image-riscv64", SUITE, "riscv64", through=r"linux-image-\d")
    arm_kernel = Package("linux-image-arm64", SUITE, "arm64", through=r"linux-image-\d", suffix="-unsigned")
    rows = (
        Product(
            "kernel", "arm64", (arm_kernel,), ("Image",), make_kernel(r"boot/vmlinu[xz]-.*"), "Debian's kernel, unmodified",
        ),
        Product(
            "initrd", "arm64", (Package("busybox-static", SUITE, "arm64"), arm_kernel), ("initrd.cpio.gz",),
            make_initrd(("virtio_mmio", "virtio_rng")), "busybox, modules and an /init", (INIT,),
        ),
        Product(
            "kernel", "riscv64", (rv_kernel,), ("Image",), make_kernel(r"boot/vmlinu[xz]-.*"),
            "Debian's kernel, unmodified",
        ),
        Product(
            "initrd", "riscv64", (Package("busybox-static", SUITE, "riscv64"), rv_kernel), ("initrd.cpio.gz",),
            make_initrd(("virtio_mmio", "virtio_rng")), "busybox, modules and an /init", (INIT,),
        ),
        Product(
            "opensbi", "riscv64", (Package("opensbi", SUITE, "riscv64"),), ("fw_dynamic.bin", "fw_jump.bin"),
            make_copy({f"usr/lib/riscv64-linux-gnu/opensbi/generic/{f}": f for f in ("fw_dynamic.bin", "fw_jump.bin")}),
            "OpenSBI for the generic platform",
        ),
        Product(
            "qemu-user", "", (Package("qemu-user", SUITE, host),),
            ("qemu-riscv64", "qemu-aarch64", "qemu-x86_64"),
            make_copy({f"usr/bin/qemu-{a}": f"qemu-{a}" for a in ("riscv64", "aarch64", "x86_64")}),
            "reference: static user-mode emulators",
        ),
        Product(
            "capstone", "", (Package("libcapstone5", SUITE, host), Package("libcapstone-dev", SUITE, host)),
            ("libcapstone.so.5", "include/capstone/capstone.h"), make_capstone,
            "reference: disassembler library and headers",
        ),
        Product(
            "torture", "", (Package("gcc-12-source", "bookworm", host),), ("c-torture.tar",), make_torture,
            "reference: GCC's self-checking programs",
        ),
        *(Sysroot(arch) for arch in dict.fromkeys(("riscv64", "arm64", host))),
    )
    return {(p.name, p.arch): p for p in rows}


# ---- the cache ----------------------------------------------------------------------------------


def valid(p: Product, stamp: Path, key: str, where: Path) -> bool:
    """Whether the outputs were made from these packages by this recipe and are undamaged."""
    try:
        data = json.loads(stamp.read_text())
        return data["key"] == key and all(sha256_file(where / o) == data["outputs"][o] for o in p.outputs)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError) as e:
        log(f"{stamp}: unreadable ({e}), making {p.name} again")
        return False


def replace(item: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    item.replace(target)


def obtain(p: Product, cache: Path, refresh: bool = False) -> list[Path]:
    """Paths of the product's outputs, made now unless they are there and whole."""
    where = (cache / (p.arch or "host")).absolute()
    stamp = where / f"{p.name}.json"
    with locked(cache):
        debs = [fetch(pkg, cache, refresh) for pkg in p.packages]
        inputs = [sha256_file(path) for path in p.inputs]
        key = " ".join([str(RECIPE), *(d.sha256 for d in debs), *inputs])
        if not valid(p, stamp, key, where):
            fresh = where / f".{p.name}.tmp"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            try:
                p.make(debs, fresh)
                for item in sorted(fresh.iterdir()):
                    replace(item, where / item.name)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            data = {"key": key, "outputs": {o: sha256_file(where / o) for o in p.outputs}}
            write_atomic(stamp, (json.dumps(data, indent=1) + "\n").encode())
    return [where / o for o in p.outputs]
