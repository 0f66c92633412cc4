-- What the bundles say: one row for each connection of incidents/*/report.json, with the verdict and what to do.
SELECT parse_path(filename)[-4] AS directory,
       found.client AS client, found.server AS server, found.account."user" AS account,
       found.verdict.kind AS verdict, found.verdict.confidence AS confidence,
       found.verdict."at" AS moment,
       found.incomplete AS incomplete,
       found.advice[1] AS advice
FROM (
    -- Read as text: where there is no bundle yet, read_json would be an error.
    SELECT filename, unnest(json_transform(content, '{
        "connections": [{"client": "VARCHAR", "server": "VARCHAR", "account": {"user": "VARCHAR"},
                         "verdict": {"kind": "VARCHAR", "confidence": "VARCHAR", "at": "TIMESTAMP"},
                         "incomplete": "BOOLEAN", "advice": ["VARCHAR"]}]
    }').connections) AS found
    FROM read_text('*/incidents/*/report.json')
    -- One that is being copied at this moment is left for the next time.
    WHERE json_valid(content)
)
ORDER BY moment, directory, client;
