-- What the bundles say: one row for each connection of incidents/*/report.json, with the verdict and what to do.
SELECT parse_path(filename)[-4] AS directory,
       found.client AS client, found.server AS server, found.account."user" AS account,
       found.verdict.kind AS verdict, found.verdict.confidence AS confidence,
       found.verdict."at" AS moment,
       found.incomplete AS incomplete,
       found.advice[1] AS advice
FROM (
    SELECT filename, unnest(connections) AS found
    FROM read_json('*/incidents/*/report.json', filename = true, columns = {
        connections: 'STRUCT(client VARCHAR, server VARCHAR, account STRUCT("user" VARCHAR),
                             verdict STRUCT(kind VARCHAR, confidence VARCHAR, "at" TIMESTAMP), incomplete BOOLEAN, advice VARCHAR[])[]'
    })
)
ORDER BY moment, directory, client;
