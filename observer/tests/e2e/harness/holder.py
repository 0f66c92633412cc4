"""Processes that open, inherit and pass on one connection, as their orders say.

`open HOST PORT` connects; `take PATH` waits for a socket that another passes on at PATH. Then, a line each on standard
input: `read` reads, `fork` makes a child that reads, `pass PATH` gives the socket to who waits at PATH and lets go of
it, here and in the child. What was done is told on standard output, with the process that did it; of a read with the time
before and after it.
"""

import ctypes
import os
import signal
import socket
import sys
import time


def tell(pid, *more):
    print(pid, *more, flush=True)


def take(path):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        tell(os.getpid(), "waits")
        visitor, _ = door.accept()
        with visitor:
            _, files, _, _ = socket.recv_fds(visitor, 1, 1)
    return socket.socket(fileno=files[0])


def read(connection):
    began = time.time()
    connection.recv(64 * 1024, socket.MSG_WAITALL)
    tell(os.getpid(), "read", began, time.time())


def die_with(parent):
    """Whoever is forked does not outlive who forked it (PR_SET_PDEATHSIG of linux/prctl.h)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


how, *where = sys.argv[1:]
connection = take(*where) if how == "take" else socket.create_connection((where[0], int(where[1])))
tell(os.getpid(), connection.getsockname()[1])
child = None
for line in sys.stdin:
    order, *place = line.split()
    if order == "read":
        read(connection)
    elif order == "fork":
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            die_with(parent)
            read(connection)
            while True:
                signal.pause()
    elif order == "pass":
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(place[0])
            socket.send_fds(visitor, [b"x"], [connection.fileno()])
        connection.close()
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        tell(os.getpid(), "passed")
