-- Bytes that stood still on connections that were lost, as they were told last: `queued` at the server, which MariaDB throws
-- away when it gives up and MySQL's kernel goes on sending while the client drains it, and `unread` at the client, which its
-- application still reads before it fails. Rows that the server had not written are in neither: nobody can count them.
SELECT account, schema, server,
       count(*) AS lost,
       sum(stall.queued) AS queued,
       sum(stall.unread) AS unread,
       -- Of these it is not known what waited at the server.
       count(*) FILTER (WHERE stall.queued IS NULL) AS unknown
FROM stall
WHERE stall.lost
GROUP BY account, schema, server
ORDER BY queued DESC NULLS LAST, account, schema, server;
