"""What both ends of the wire set on their SSH connections: sound ciphers, and no needless packets."""

from __future__ import annotations

from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import SSHPacketLogger

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com")
"""Authenticated ones only. AES first: a packet takes asyncssh half the time that it does with ChaCha20."""


def without_ignores(connection: SSHConnection) -> None:
    """Keep asyncssh from sending an empty SSH_MSG_IGNORE before every packet, while the cipher needs none.

    It is the guard for ciphers in CBC mode, where an eavesdropper knows the next initial vector (RFC 4251,
    section 9.3.1). An authenticated cipher has a fresh nonce for each packet. Every packet is a system call,
    a decryption and a wake-up of the other side: a key's way to a console is a fifth shorter without.
    """
    send = connection.send_packet

    def send_packet(pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype != MSG_IGNORE or connection.get_extra_info("send_cipher") not in CIPHERS:
            send(pkttype, *args, handler=handler)

    connection.send_packet = send_packet  # type: ignore[method-assign]
