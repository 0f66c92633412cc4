"""Many clients in one process, some of which stop reading.

Orders come by lines on standard input; what has happened is told on standard output, a JSON object a line. Those that
read ask for a short result again and again until the last order has come.
"""

import asyncio
import json
import sys

import aiomysql


def tell(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


async def told():
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        sys.exit("nobody is there any more")


async def connect(host, port):
    connection = await aiomysql.connect(host=host, port=port, user="reader", db="story")
    address = connection._writer.get_extra_info("sockname")
    tell("connected", port=address[1], thread_id=connection.thread_id())
    return connection


async def stand_still(connection, query, stalled, go_on):
    async with connection.cursor(aiomysql.SSCursor) as cursor:
        await cursor.execute(query)
        await cursor.fetchmany(size=8)
        stalled.release()
        await go_on.wait()
        while await cursor.fetchmany(size=8):
            pass


async def read(connection, go_on):
    answers = 0
    while not (answers and go_on.is_set()):
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT table_name FROM information_schema.tables LIMIT 20")
            assert len(await cursor.fetchall()) == 20
        answers += 1
        try:
            await asyncio.wait_for(go_on.wait(), 2)
        except asyncio.TimeoutError:
            pass
    return answers


async def main(host, port, count, standing, query):
    connections = [await connect(host, int(port)) for _ in range(int(count))]
    await told()
    stalled, go_on = asyncio.Semaphore(0), asyncio.Event()
    still, others = connections[: int(standing)], connections[int(standing) :]
    still = [asyncio.create_task(stand_still(one, query, stalled, go_on)) for one in still]
    others = [asyncio.create_task(read(one, go_on)) for one in others]
    for _ in still:
        await stalled.acquire()
    tell("stalled")
    await told()
    go_on.set()
    answers = await asyncio.gather(*others)
    failed = await asyncio.gather(*still, return_exceptions=True)
    tell("ended", answers=min(answers), failed=sum(isinstance(end, Exception) for end in failed))
    for connection in connections:
        connection.close()


asyncio.run(main(*sys.argv[1:]))
