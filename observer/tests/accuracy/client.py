"""A client that does what it is told: a line on standard input is an act, the answer a JSON object on standard output.

It is started with the server's address and a plan, in JSON:
    receive_buffer  SO_RCVBUF in bytes, set before the connection is made; null leaves it to the kernel's tuning
    tls, compress   how it speaks
    statements      what it says after login

The acts, each on the connection of PyMySQL:
    query SQL       sends the query and reads the head of its result, no row
    cursor SQL      the same with a server-side cursor
    read N          reads N rows; of a cursor, fetches N
    trickle N       reads N rows a second until the next line comes, then to the end
    end             reads to the end of the result
    ping            asks whether the server is there
    quit            says COM_QUIT and closes
    close           closes without COM_QUIT
"""

import json
import os
import select
import socket
import struct
import sys
import time
import zlib

import pymysql
from pymysql.constants import CLIENT

SO_RCVBUFFORCE = 33
COM_STMT_PREPARE, COM_STMT_EXECUTE, COM_STMT_FETCH = 0x16, 0x17, 0x1C
CURSOR_TYPE_READ_ONLY = 1
# How often a trickling reader reads.
BEATS = 50


def tell(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


class CompressedWriter:
    """Sends every command as one compressed packet that is stored plain, as connectors do below 50 bytes."""

    def __init__(self, sock):
        self.sock = sock

    def sendall(self, data):
        self.sock.sendall(struct.pack("<I", len(data))[:3] + b"\0\0\0\0" + data)

    def __getattr__(self, name):
        return getattr(self.sock, name)


class CompressedReader:
    def __init__(self, file):
        self.file = file
        self.plain = b""

    def read(self, size):
        while len(self.plain) < size:
            header = self.file.read(7)
            if len(header) < 7:
                break
            length, whole = (int.from_bytes(part, "little") for part in (header[:3], header[4:]))
            data = self.file.read(length)
            if len(data) < length:
                break
            self.plain += zlib.decompress(data) if whole else data
        data, self.plain = self.plain[:size], self.plain[size:]
        return data

    def close(self):
        self.file.close()


class Connection(pymysql.connections.Connection):
    compress = False

    def _request_authentication(self):
        super()._request_authentication()
        if self.compress:
            self._sock = CompressedWriter(self._sock)
            self._rfile = CompressedReader(self._rfile)


class Rows:
    """The rows of a plain result."""

    def __init__(self, connection, query):
        self.cursor = connection.cursor(pymysql.cursors.SSCursor)
        self.cursor.execute(query)

    def read(self, count):
        return len(self.cursor.fetchmany(count))


class CursorRows:
    """The rows of a server-side cursor, which PyMySQL does not know."""

    def __init__(self, connection, query):
        self.connection = connection
        connection._execute_command(COM_STMT_PREPARE, query)
        prepared = connection._read_packet()
        (self.statement, columns) = struct.unpack_from("<IH", prepared.get_all_data(), 1)
        self.skip(columns + 1)
        connection._execute_command(
            COM_STMT_EXECUTE, struct.pack("<IBI", self.statement, CURSOR_TYPE_READ_ONLY, 1)
        )
        self.skip(1 + columns + 1)

    def skip(self, packets):
        for _ in range(packets):
            self.connection._read_packet()

    def read(self, count):
        self.connection._execute_command(COM_STMT_FETCH, struct.pack("<II", self.statement, count))
        rows = 0
        while not self.connection._read_packet().is_eof_packet():
            rows += 1
        return rows


class Acts:
    def __init__(self):
        self.pending = b""

    def wait(self):
        while b"\n" not in self.pending:
            data = os.read(0, 65536)
            if not data:
                sys.exit("nobody is there any more")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode().partition(" ")

    def one_is_there(self):
        return b"\n" in self.pending or bool(select.select([0], [], [], 0)[0])


def connect(host, port, plan):
    sock = socket.socket()
    if plan["receive_buffer"]:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, plan["receive_buffer"])
    sock.connect((host, port))
    tls = {"check_hostname": False, "verify_mode": "none"} if plan["tls"] else None
    connection = Connection(
        host=host,
        port=port,
        user="reader",
        database="story",
        ssl=tls,
        client_flag=CLIENT.COMPRESS if plan["compress"] else 0,
        defer_connect=True,
    )
    connection.compress = plan["compress"]
    connection.connect(sock=sock)
    for statement in plan["statements"]:
        connection.query(statement)
    tell("connected", port=connection._sock.getsockname()[1], thread_id=connection.thread_id())
    return connection


def main(host, port, plan):
    connection = connect(host, int(port), json.loads(plan))
    acts = Acts()
    rows = None
    count = 0
    broken = None
    while True:
        (act, _, argument) = acts.wait()
        try:
            if broken and act != "close":
                raise broken
            if act == "query":
                rows = Rows(connection, argument)
            elif act == "cursor":
                rows = CursorRows(connection, argument)
            elif act == "read":
                count += rows.read(int(argument))
            elif act == "trickle":
                # Who trickles answers at once: it goes on until it is told something else.
                tell("done", rows=count)
                try:
                    while not acts.one_is_there() and (read := rows.read(max(1, int(argument) // BEATS))):
                        count += read
                        time.sleep(1 / BEATS)
                except Exception as error:
                    broken = error
                continue
            elif act == "end":
                while read := rows.read(100):
                    count += read
            elif act == "ping":
                connection.ping(reconnect=False)
            elif act == "quit":
                connection.close()
            elif act == "close":
                connection._force_close()
            tell("done", rows=count)
        except Exception as error:
            tell("failed", rows=count, error=f"{type(error).__name__}: {error}")


main(*sys.argv[1:])
