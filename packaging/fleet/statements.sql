-- Which statements clients were reading when they stalled; literals are not in the logs.
SELECT statement,
       count(*) AS stalls,
       count(*) FILTER (WHERE stall.lost) AS lost,
       max(stalled_for) AS longest,
       list(DISTINCT account ORDER BY account) AS accounts
FROM stall
WHERE statement IS NOT NULL
GROUP BY statement
ORDER BY lost DESC, stalls DESC, statement;
