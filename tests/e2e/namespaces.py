"""What runs a command in namespaces of its own: as root, or in a user namespace where it is called root."""

import os


def own_namespaces(*options):
    """`options` are those of unshare."""
    return ["unshare", *options, *([] if os.geteuid() == 0 else ["--map-root-user"])]


def changed_root(folder):
    return [*([] if os.geteuid() == 0 else own_namespaces()), "chroot", str(folder)]
