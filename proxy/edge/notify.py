"""Tells the service manager how the process stands, where one started it."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send one assignment of sd_notify(3), such as READY=1; never blocks, and never fails the process.

    Without NOTIFY_SOCKET nobody wants to know. Source: sd_notify(3), systemd.service(5) on Type=notify.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        # An @ stands for the zero byte that begins a name outside of the file system (unix(7)).
        sender.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
