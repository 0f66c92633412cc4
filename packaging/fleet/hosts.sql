-- Which hosts lost events, where, and how far their logs reach: what is said of a host that lost many may miss something.
WITH reach AS (
    SELECT directory, max(host) AS host, max(version) AS version, max(moment) AS last
    FROM line
    GROUP BY directory
), missing AS (
    SELECT directory, lost_by, sum(count) AS events
    FROM line
    WHERE event = 'events_lost'
    GROUP BY directory, lost_by
), without AS (
    SELECT directory, list(DISTINCT json_extract_string(part, '$') ORDER BY json_extract_string(part, '$')) AS degraded
    FROM line
    WHERE finding = 'degraded'
    GROUP BY directory
)
SELECT directory, host, version, lost_by, coalesce(events, 0) AS events, degraded, last
FROM reach
LEFT JOIN missing USING (directory)
LEFT JOIN without USING (directory)
ORDER BY events DESC, directory, lost_by;
