-- At which servers clients stall, and which timeouts hold there.
SELECT server, server_program,
       count(*) AS stalls,
       count(*) FILTER (WHERE stall.lost) AS lost,
       -- Shown by the server's socket, its RST or its process list, and not by the deadline alone.
       count(*) FILTER (WHERE stall.lost AND stall.seen) AS seen,
       count(DISTINCT client) AS clients,
       list(DISTINCT net_write_timeout ORDER BY net_write_timeout) AS timeouts
FROM stall
GROUP BY server, server_program
ORDER BY lost DESC, stalls DESC, server;
