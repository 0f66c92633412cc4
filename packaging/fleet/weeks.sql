-- Week by week (from Monday, UTC), and by who logs in: whether it gets better.
SELECT CAST(date_trunc('week', began) AS DATE) AS week,
       account,
       count(*) AS stalls,
       count(*) FILTER (WHERE stall.lost) AS lost,
       max(CASE WHEN stall.lost THEN 1 ELSE used END) AS closest
FROM stall
GROUP BY week, account
ORDER BY week, account;
