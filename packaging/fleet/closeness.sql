-- How close to the limit they came: the share of net_write_timeout that was used. 1 is the limit.
SELECT CASE WHEN lost THEN '4 lost'
            WHEN used >= 0.8 THEN '3 from 80 %'
            WHEN used >= 0.5 THEN '2 from 50 %'
            WHEN used IS NULL THEN '0 no timeout ran'
            ELSE '1 below 50 %' END AS share,
       count(*) AS stalls,
       max(stalled_for) AS longest,
       min(net_write_timeout) AS shortest_timeout,
       -- Of these the limit itself is a guess.
       count(*) FILTER (WHERE timeout_source = 'assumed') AS assumed
FROM stall
GROUP BY share
ORDER BY share DESC;
