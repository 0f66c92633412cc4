"""A client that reads a result row by row, by a library of Python's or as what a command-line client writes into.

`reads.py HOST PORT HOW QUERY COMMAND…`, where HOW is the name of a library, or `pipe`: then COMMAND is that of a client, or
`replica`: then QUERY fills the binary log, and the rows are events of that; or `binlog`: the same, read by COMMAND.
An order a line on standard input: `query` sends the query and reads the first row, `more` reads some thousand rows, `rest` reads
to the end. What came of it is told on standard output, a JSON object a line, with the time before and after.
"""

import json
import os
import struct
import subprocess
import sys
import time


def tell(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


def port_of(pid, server_port):
    """Of the only connection to that port in the process's network namespace."""
    for family in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{family}") as connections:
            for line in list(connections)[1:]:
                _, local, remote, state, *_ = line.split()
                if state == "01" and int(remote.split(":")[1], 16) == server_port:
                    return int(local.split(":")[1], 16)


def aiomysql(where):
    import asyncio

    import aiomysql

    async def connect():
        connection = await aiomysql.connect(db="story", program_name="reads.py", **where)
        return connection, await connection.cursor(aiomysql.SSCursor)

    run = asyncio.new_event_loop().run_until_complete
    connection, cursor = run(connect())
    return connection.thread_id(), lambda query: run(cursor.execute(query)), lambda n: run(cursor.fetchmany(n))


def pymysql(where):
    import pymysql

    connection = pymysql.connect(database="story", program_name="reads.py", **where)
    cursor = connection.cursor(pymysql.cursors.SSCursor)
    return connection.thread_id(), cursor.execute, cursor.fetchmany


def connector_python(where, **how):
    import mysql.connector

    # MariaDB does not know the collation that is asked for otherwise.
    how["collation"] = "utf8mb4_general_ci"
    connection = mysql.connector.connect(database="story", ssl_disabled=True, **how, **where)
    cursor = connection.cursor()
    # A cursor alone does not keep its connection.
    return connection.connection_id, lambda query, _=connection: cursor.execute(query), cursor.fetchmany


def fill_log(where):
    import pymysql

    with pymysql.connect(database="story", autocommit=True, **where) as writer:
        for statement in query.split(";"):
            writer.cursor().execute(statement)


def replica(where):
    """Asks for the whole binary log, and waits for what will be written to it, as a replica does."""
    import pymysql

    COM_REGISTER_SLAVE, COM_BINLOG_DUMP, NUMBER = 0x15, 0x12, 77
    fill_log(where)
    connection = pymysql.connect(program_name="reads.py", **where)
    # That it knows the checksums of a server's events; the names are MySQL's, its older one is MariaDB's too.
    connection.cursor().execute("SET @source_binlog_checksum = 'NONE', @master_binlog_checksum = 'NONE'")

    def dump(_):
        connection._execute_command(COM_REGISTER_SLAVE, struct.pack("<IBBBHII", NUMBER, 0, 0, 0, 0, 0, 0))
        connection._read_ok_packet()
        # From the first event of the first file on.
        connection._execute_command(COM_BINLOG_DUMP, struct.pack("<IHI", 4, 0, NUMBER))

    def read(n):
        return [connection._read_packet() for _ in range(n)]

    return connection.thread_id(), dump, read


def start(command):
    """The client, and what takes from its standard output what is told to be taken, and nothing ahead."""
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    client = subprocess.Popen(command, bufsize=0, **ends)

    def fetchmany(n):
        rows = [row for row in (client.stdout.readline() for _ in range(n)) if row]
        if len(rows) < n and client.wait():
            raise RuntimeError(client.stderr.read().decode())
        return rows

    return client, fetchmany


def binlog(where, command):
    import pymysql

    fill_log(where)
    client, fetchmany = start(command)
    thread_id = None
    with pymysql.connect(**where) as other, other.cursor() as cursor:
        while thread_id is None:
            time.sleep(0.05)
            cursor.execute("SHOW PROCESSLIST")
            dumps = (thread for thread, _, _, _, doing, *_ in cursor.fetchall() if doing.startswith("Binlog Dump"))
            thread_id = next(dumps, None)
    # It has asked by then.
    return client.pid, thread_id, lambda _: None, fetchmany


def pipe(command):
    client, fetchmany = start(command)

    def ask(query):
        client.stdin.write(query.encode() + b";\n")

    def execute(query):
        ask(query)
        client.stdin.close()

    ask("SELECT CONNECTION_ID()")
    return client.pid, int(client.stdout.readline()), execute, fetchmany


host, port, how, query, *command = sys.argv[1:]
where = {"host": host, "port": int(port), "user": "reader"}
pid = os.getpid()
if how == "aiomysql":
    thread_id, execute, fetchmany = aiomysql(where)
elif how == "pymysql":
    thread_id, execute, fetchmany = pymysql(where)
elif how == "replica":
    thread_id, execute, fetchmany = replica(where)
elif how == "binlog":
    pid, thread_id, execute, fetchmany = binlog(where, command)
elif how == "connector-python":
    thread_id, execute, fetchmany = connector_python(where)
elif how == "connector-python-pure":
    thread_id, execute, fetchmany = connector_python(where, use_pure=True)
else:
    pid, thread_id, execute, fetchmany = pipe(command)
tell("connected", pid=pid, port=port_of(pid, int(port)), thread_id=thread_id)
rows = 0
for line in sys.stdin:
    order = line.strip()
    began = time.time()
    try:
        if order == "query":
            execute(query)
            rows += len(fetchmany(1))
        elif order == "more":
            rows += len(fetchmany(4000))
        elif order == "rest":
            while batch := fetchmany(1000):
                rows += len(batch)
        tell("done", rows=rows, began=began, ended=time.time())
    except Exception as error:
        tell("failed", began=began, ended=time.time(), error=f"{type(error).__name__}: {error}")
        break
