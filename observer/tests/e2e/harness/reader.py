"""The story's client: an unbuffered cursor, eight rows at a time, and a pause after the first ones.

Every step waits for a line on standard input and tells what has happened on standard output, a JSON object a
line. While it waits the event loop runs on, as it did in the story's own `await asyncio.sleep(120)`.
"""

import asyncio
import json
import os
import ssl
import sys

import aiomysql


def tell(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


async def told():
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        sys.exit("nobody is there any more")


def tls():
    """With whatever certificate the server has made for itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


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
    address = connection._writer.get_extra_info("sockname")
    tell("connected", port=address[1], thread_id=connection.thread_id())
    await told()
    rows = 0
    try:
        async with connection.cursor(aiomysql.SSDictCursor) as cursor:
            await cursor.execute(query)
            rows += len(await cursor.fetchmany(size=8))
            tell("paused", rows=rows)
            await told()
            while batch := await cursor.fetchmany(size=8):
                rows += len(batch)
        tell("finished", rows=rows)
    except Exception as error:
        tell("failed", rows=rows, error=f"{type(error).__name__}: {error}")
    connection.close()


asyncio.run(main(*sys.argv[1:]))
