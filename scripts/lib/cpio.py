"""Writes cpio archives ("newc", what the kernel unpacks) from a list: no root, same bytes every time.

Not responsible for compression or for what goes in.
"""

from __future__ import annotations

import dataclasses
import stat

TRAILER = "TRAILER!!!"


@dataclasses.dataclass(frozen=True)
class Node:
    path: str  # without a leading slash
    mode: int  # type and permissions
    data: bytes = b""  # contents, or the target of a symbolic link
    rdev: tuple[int, int] = (0, 0)  # of a device node


def directory(path: str) -> Node:
    return Node(path, stat.S_IFDIR | 0o755)


def file(path: str, data: bytes, mode: int = 0o644) -> Node:
    return Node(path, stat.S_IFREG | mode, data)


def symlink(path: str, target: str) -> Node:
    return Node(path, stat.S_IFLNK | 0o777, target.encode())


def chardev(path: str, major: int, minor: int, mode: int = 0o600) -> Node:
    return Node(path, stat.S_IFCHR | mode, b"", (major, minor))


def _entry(ino: int, node: Node, nlink: int) -> bytes:
    name = node.path.encode() + b"\0"
    fields = (ino, node.mode, 0, 0, nlink, 0, len(node.data), 0, 0, *node.rdev, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    return head + bytes(-len(head) % 4) + node.data + bytes(-len(node.data) % 4)


def archive(nodes: list[Node]) -> bytes:
    """The archive, owner root, all times 0, missing parent directories added."""
    out: list[bytes] = []
    seen: set[str] = set()
    todo: list[Node] = []
    for node in nodes:
        parts = node.path.split("/")
        for n in range(1, len(parts)):
            parent = "/".join(parts[:n])
            if parent not in seen:
                seen.add(parent)
                todo.append(directory(parent))
        if node.path in seen:
            if stat.S_ISDIR(node.mode):
                continue
            raise ValueError(f"{node.path} is listed twice")
        seen.add(node.path)
        todo.append(node)
    for ino, node in enumerate(todo, 1):
        out.append(_entry(ino, node, 2 if stat.S_ISDIR(node.mode) else 1))
    out.append(_entry(0, Node(TRAILER, 0), 1))
    data = b"".join(out)
    return data + bytes(-len(data) % 512)
