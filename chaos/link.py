"""A client's end of HTTP/1.1: one kept-alive connection, byte for byte, with the difference that counts.

    Refused   nothing was sent: the request cannot have happened
    Broken    it was sent, wholly or in part, and no answer came: nobody knows
"""
import select
import socket
import time

CONNECT_SECONDS = 1.0


class Refused(Exception):
    pass


class Broken(Exception):
    pass


class Answer:
    __slots__ = ("status", "fields", "body")

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body


def parse_fields(block):
    """Field lines to a dictionary under lower-case names."""
    fields = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields[name.lower()] = value.strip()
    return fields


def parts(answer):
    """The parts of a multipart answer: [(fields, body)]."""
    kind, _, boundary = answer.fields.get(b"content-type", b"").partition(b"boundary=")
    if not kind.startswith(b"multipart/mixed") or not boundary:
        raise ValueError("no multipart answer")
    pieces = answer.body.split(b"\r\n--" + boundary)
    if pieces[-1].strip() != b"--":
        raise ValueError("a multipart answer without its end")
    out = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        out.append((parse_fields(head), body))
    return out


class Connection:
    def __init__(self, host, port):
        self.address = (host, port)
        self.socket = None
        self.data = b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.data = None, b""

    def open(self):
        """A connection that its other end has not closed yet, as far as can be known."""
        if self.socket is not None and select.select([self.socket], [], [], 0)[0]:
            self.close()
        if self.socket is not None:
            return
        try:
            self.socket = socket.create_connection(self.address, timeout=CONNECT_SECONDS)
        except OSError as e:
            raise Refused(str(e)) from e
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, fields=(), body=None, seconds=5.0):
        """One request; its Answer, or Refused, or Broken."""
        self.open()
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: %s:%d" % self.address]
        lines += ["%s: %s" % f for f in fields]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        try:
            self.socket.settimeout(seconds)
            self.socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
            return self.answer(method, time.monotonic() + seconds)
        except (OSError, ValueError) as e:
            self.close()
            raise Broken(str(e)) from e

    def fill(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise OSError("no answer in time")
        self.socket.settimeout(left)
        got = self.socket.recv(65536)
        if not got:
            raise OSError("the connection ended")
        self.data += got

    def answer(self, method, end):
        while b"\r\n\r\n" not in self.data:
            self.fill(end)
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        status, fields = int(first.split(b" ")[1]), parse_fields(rest)
        length = 0 if method == "HEAD" or status in (204, 304) else int(fields[b"content-length"])
        while len(self.data) < length:
            self.fill(end)
        body, self.data = self.data[:length], self.data[length:]
        if fields.get(b"connection", b"").lower() == b"close":
            self.close()
        return Answer(status, fields, body)
