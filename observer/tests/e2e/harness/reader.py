"""The story's client: an unbuffered cursor, eight rows at a time, and a pause after the first ones.

Every step waits for a line on standard input and tells what has happened on standard output, a JSON object a
line. `read` reads on as fast as it can, `read N` at a steady pace of N rows a second. One that stays waits for one more
line before it closes its connection. While it waits the event loop runs on, as it did in the story's own
`await asyncio.sleep(120)`.
"""

import asyncio
import json
import os
import ssl
import sys
import time

import aiomysql


def tell(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


async def told():
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        sys.exit("nobody is there any more")
    return line.split()


def tls():
    """With whatever certificate the server has made for itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def take_little(connection):
    """Leaves in the socket what is not read yet, as a client that reads from it directly does."""
    connection._reader._limit = 4096
    connection._writer.transport.max_size = 16384


async def reset(connection):
    """COM_RESET_CONNECTION, as pools do; aiomysql has no name for it."""
    await connection._execute_command(0x1F, "")
    await connection._read_ok_packet()
    await connection.select_db("story")


async def main(host, port, query, first=None):
    connection = await aiomysql.connect(
        host=host,
        port=int(port),
        user="reader",
        db="story",
        program_name="story.py",
        init_command=first,
        ssl=tls() if "READER_TLS" in os.environ else None,
    )
    if "READER_RESET" in os.environ:
        await reset(connection)
    address = connection._writer.get_extra_info("sockname")
    tell("connected", port=address[1], thread_id=connection.thread_id())
    await told()
    rows = 0
    try:
        async with connection.cursor(aiomysql.SSDictCursor) as cursor:
            await cursor.execute(query)
            rows += len(await cursor.fetchmany(size=8))
            tell("paused", rows=rows)
            _, *pace = await told()
            tell("reading")
            if pace:
                take_little(connection)
            since, before = time.monotonic(), rows
            while batch := await cursor.fetchmany(size=8):
                rows += len(batch)
                if pace and (ahead := (rows - before) / int(pace[0]) - (time.monotonic() - since)) > 0:
                    await asyncio.sleep(ahead)
        tell("finished", rows=rows)
    except Exception as error:
        tell("failed", at=time.time(), rows=rows, error=f"{type(error).__name__}: {error}")
    if "READER_STAYS" in os.environ:
        await told()
    connection.close()


asyncio.run(main(*sys.argv[1:]))
