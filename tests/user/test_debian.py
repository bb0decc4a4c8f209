"""Debian's own programs, dynamically linked, from a sysroot: output, exit status and files left are the native ones.

The oracle is the same release for the host's ISA. Python has a file of its own (test_python.py).
"""

from __future__ import annotations

import random
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402
from lib.userland import Place, guest, native, same  # noqa: E402

SCRIPTS = Path(__file__).resolve().parent / "scripts"


def words(n: int) -> bytes:
    """Lines of a few fields, the same every time."""
    rng = random.Random(5)
    syllables = "ka lo mi ne ru ta vi zo sha qu".split()

    def word() -> str:
        return "".join(rng.choice(syllables) for _ in range(rng.randint(1, 4)))

    return "".join(f"{word()} {rng.randint(0, 99999)} {rng.uniform(-9, 9):.3f} {word()}\n" for _ in range(n)).encode()


TEXT, SHORT, BYTES = words(2000), words(40), random.Random(6).randbytes(100_000)
FILES = {
    "text": TEXT, "short": SHORT, "bytes": BYTES, "sorted": b"".join(sorted(SHORT.splitlines(True))),
    "pairs": b"a b\nb c\na c\nd b\n", "dir/a": b"a\n", "dir/sub/b": b"b\n",
}  # fmt: skip

# One run per line, in a directory that holds FILES.
COMMANDS = r"""
printf '%s|%d|%x|%5.2f|%q\n' one 2 255 2.5 "a'b"
sort text
sort -k2,2n -k1,1r text
sort -g -k3 -u short
sort --parallel=2 -S 1M -R --random-source=bytes text
uniq -c sorted
wc text bytes
sha256sum text bytes
sha512sum bytes
sha1sum bytes
md5sum bytes text
b2sum bytes
cksum bytes
cksum -a sm3 bytes
base64 bytes
basenc --z85 -w 0 bytes
cut '-d ' -f2,4 text
tr a-m N-Z <text
head -n 7 text
tail -n +1990 text
tail -c 100 bytes
od -A x -t x1z -v -N 512 bytes
od -t f8 -N 4096 bytes
nl text
tac text
paste -d: short sorted
join -1 1 -2 1 sorted sorted
comm short sorted
fold -s -w 30 short
fmt -w 50 short
pr -l 20 -h title -D date short
expand -t 3 short
factor 18446744073709551615 1234567890123456789 97
seq -f %.3e 1 7 100
numfmt --to=iec 1024 123456789 99
expr 17 '*' 3 + 4
date -u -d @1700000000 '+%Y-%m-%dT%H:%M:%S.%N %j %A'
date -d '2024-02-29+1 year' +%F
stat -c '%n %s %a %F %Y' text dir short
ls -nR --time-style=+%s text short
du -b --apparent-size text bytes
cp -rp dir copy
mv text moved
ln -s text link
ln text hard
mkdir -p -m 750 x/y/z
rmdir dir
rm -r dir
chmod u+x,g-r text
truncate -s 12345 text
split -n 3 -d text part.
csplit -s -z short /ka/ '{2}'
dd if=bytes of=copy bs=1k skip=3 count=5 conv=swab status=none
shred -n 1 -z -u --random-source=bytes short
install -m 640 text installed
readlink -f dir/sub/../a
realpath --relative-to=dir text
tsort pairs
ptx short
shuf --random-source=bytes text
cat -A bytes
tee one two <text
test -d dir
false
id -u
nproc --all
uname -s
mkfifo pipe
dircolors -b
stty -g
ls --frobnicate
cat no-such-file
find . -name '*[ab]' -newermt 2000-01-01 -printf '%p %s %m\n'
sed -E 's/([a-z]+) ([0-9]+)/\2:\1/;/9/d' text
grep -nE '(ka|lo){2}.*9$' text
grep -cP '(?<=mi)\d*\w' text
diff -u short sorted
cmp text short
tar --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner -cf out.tar dir short
gzip -9n bytes
xz -9 -T1 -k text
xz -T2 --block-size=65536 -k bytes
zstd -q -19 text -o text.zst
zstd -q -T2 -3 bytes -o bytes.zst
gawk '{ n[$1] += $2; s += $3 } END { for (w in n) t += n[w] * length(w); printf "%d %.6f %s\n", t, s, toupper($4) }' text
gawk -M 'BEGIN { print 2 ^ 300, sqrt(2), sin(1), int(-3.5), substr("isomer", 2, 3), strftime("%F", 0) }'
bc -l -q sums.bc
lua5.4 queens.lua 7
perl regress.pl text
sqlite3 -bail -batch base.db '.read load.sql'
openssl dgst -sha256 -sha3-256 text
openssl dgst -blake2b512 bytes
openssl enc -aes-256-ctr -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in bytes
openssl enc -chacha20 -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in bytes
bash words.sh text
"""

# Programs that start others.
STARTING = r"""
env -i A=1 /usr/bin/env
nice -n 3 nice
timeout 20 seq 3
xargs -n 3 echo <short
find dir -type f -exec cat {} +
tar -czf out.tar.gz --mtime=@1 dir
bash pipes.sh
"""


def parse(line: str) -> tuple[list[str], bytes]:
    """Argument vector and standard input; `<name` at the end names a file of FILES."""
    command, _, name = line.partition(" <") if re.search(r" <\w+$", line) else (line, "", "")
    return shlex.split(command), FILES[name] if name else b""


def files(argv: list[str]) -> dict[str, bytes]:
    return {**FILES, **{p.name: p.read_bytes() for p in SCRIPTS.iterdir() if p.name in " ".join(argv)}}


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_command(line: str) -> None:
    argv, stdin = parse(line)
    same(argv, stdin, files(argv))


@pytest.mark.parametrize("line", STARTING.strip().splitlines())
def test_command_that_starts_others(line: str) -> None:
    userland.needs_exec()
    argv, stdin = parse(line)
    same(argv, stdin, files(argv))


@pytest.fixture
def place() -> Iterator[Place]:
    p = Place({"text": TEXT, "hello.c": (SCRIPTS / "hello.c").read_bytes()})
    yield p
    shutil.rmtree(p.top, ignore_errors=True)


@pytest.mark.parametrize("flags", ["-O2", "-O0 -g -static", "-O1 -flto -fsanitize=undefined"])
def test_gcc_compiles_and_links(flags: str, place: Place) -> None:
    """The guest's compiler makes a program that runs; the cross compiler of another version is no oracle for its bytes."""
    userland.needs_exec()
    work = place.fresh()
    made = guest(["gcc", *flags.split(), "-Wall", "-Werror", "-o", "hello", "hello.c"], work)
    assert made == userland.Result(0, b"", b"")
    ran = guest(["./hello", "world"], work)
    assert ran == userland.Result(42, b"hello, world: 2\n", b"")


def test_gcc_refuses_as_natively() -> None:
    userland.needs_exec()
    same(["gcc", "-Wall", "-c", "bad.c"], inputs={"bad.c": b"int f(void) { return g(1) + ; }\nint x = \"s\";\n"})


def test_git(place: Place) -> None:
    """init, commit, log, branch, merge, gc; object names and packs are the native ones."""
    userland.needs_exec()
    script = r"""
    set -e
    git init -q -b main r; cd r
    git config gc.auto 0; git config pack.threads 1
    for i in 1 2 3 4 5; do head -n $((i * 300)) ../text >text; echo $i >"f$i"; git add .; git commit -q -m "commit $i"; done
    git checkout -q -b side HEAD~2; echo side >s; git add s; git commit -q -m side; git checkout -q main
    git merge -q --no-edit side
    git log --graph --stat --format='%H %an %ad %s'
    git diff --stat HEAD~3; git blame -s text | tail -n 3; git grep -c ka; git ls-tree -r HEAD
    git gc -q; git count-objects -v | grep -v size; git fsck --full; git rev-parse HEAD^{tree}
    git tag -a -m tag v1; git describe; git archive --format=tar HEAD | sha256sum
    git clone -q . ../copy; git -C ../copy log -1 --format=%H; git stash list; git status --short
    """
    # The index and logs hold times of files.
    same(["bash", "-c", script], inputs={"text": TEXT}, left=["r/.git/objects/pack/*.pack", "r/.git/refs/**/*", "copy/*"])


def test_openssl_signatures_verify_on_the_other_side(place: Place) -> None:
    work = place.fresh()
    for algorithm in ("ED25519", "EC -pkeyopt ec_paramgen_curve:P-256", "RSA -pkeyopt rsa_keygen_bits:2048"):
        for sign, verify in ((guest, native), (native, guest)):
            for command in (
                f"genpkey -algorithm {algorithm} -out key", "pkey -in key -pubout -out pub",
                "pkeyutl -sign -rawin -inkey key -in text -out sig",
            ):  # fmt: skip
                r = sign(["openssl", *command.split()], work)
                assert r.status == 0, f"{algorithm} {sign.__name__}: {r.text()}"
            check = ["openssl", *"pkeyutl -verify -rawin -pubin -inkey pub -in text -sigfile sig".split()]
            r = verify(check, work)
            assert (r.status, r.out) == (0, b"Signature Verified Successfully\n"), f"{algorithm} {verify.__name__}: {r.text()}"
            (work / "text").write_bytes(TEXT[:-1] + b"?")
            r = verify(check, work)
            assert r.status == 1 and b"Failure" in r.out
            (work / "text").write_bytes(TEXT)


def test_openssl_speed_completes(place: Place) -> None:
    r = guest(["openssl", "speed", "-seconds", "1", "-bytes", "1024", "-evp", "sha256"], place.fresh())
    assert r.status == 0 and re.search(rb"^sha256 +\d+\.\d+k", r.out, re.M), r.text()
