-- Which services stall: by who logs in, for which schema, with which connector, from which container or unit.
SELECT account, schema, connector, place,
       count(*) AS stalls,
       count(*) FILTER (WHERE stall.lost) AS lost,
       count(DISTINCT directory) AS hosts,
       max(ended) AS last
FROM stall
GROUP BY account, schema, connector, place
ORDER BY lost DESC, stalls DESC, account, schema, connector, place;
