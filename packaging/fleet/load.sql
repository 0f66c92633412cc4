-- Reads the event logs of a fleet into tables. Every other file here asks these.
--
-- Called in a directory that has one directory for each host, each filled by `observer record` there:
--     HOST/observer-TIME-PART.jsonl, ….jsonl.gz, incidents/*/report.json
-- docs/LOG-FORMAT.md and docs/REPORT-FORMAT.md describe the fields; docs/FLEET.md this and what differs elsewhere.

-- Only the fields that are asked for: others are passed over, those of a newer observer too, and what a line does not
-- have is NULL. A last line that is still being written cannot be read, and is left for the next time. One that is there
-- twice counts once: an agent that cannot know whether a line has arrived sends it again.
CREATE OR REPLACE TABLE line AS
SELECT DISTINCT * EXCLUDE "at", "at" AS moment,  -- "at" is a word of SQL
       parse_path(filename)[-2] AS directory,
       -- The parts of one observation; connections are numbered within it.
       regexp_extract(filename, 'observer-([0-9TZ]+)-[0-9]+', 1) AS observation
FROM read_json('*/observer-*.jsonl*',
    format = 'newline_delimited', filename = true, ignore_errors = true,
    columns = {
        type: 'VARCHAR', "at": 'TIMESTAMP', finding: 'VARCHAR', event: 'VARCHAR', host: 'VARCHAR', version: 'VARCHAR',
        connection: 'UBIGINT', client: 'VARCHAR', server: 'VARCHAR', server_program: 'VARCHAR',
        account: 'STRUCT("user" VARCHAR, "database" VARCHAR, connector STRUCT(name VARCHAR, version VARCHAR))',
        statement: 'JSON', reader: 'STRUCT(comm VARCHAR, place VARCHAR)',
        clock: 'STRUCT(timeout STRUCT(seconds DOUBLE, source VARCHAR))',
        used: 'DOUBLE', seen: 'BOOLEAN', stalled_for: 'DOUBLE', queued: 'UBIGINT', unread: 'UBIGINT',
        count: 'UBIGINT', lost_by: 'VARCHAR', part: 'JSON', verdict: 'STRUCT(kind VARCHAR)'
    })
WHERE (type IN ('header', 'finding') OR event = 'events_lost')
  -- A part that was fetched before it was compressed, and again after that.
  AND filename || '.gz' NOT IN (SELECT file FROM glob('*/observer-*.jsonl.gz'));

-- What a client in trouble went through: from the finding that begins it to the one that ends it.
CREATE OR REPLACE TABLE told AS
WITH in_order AS (
    SELECT *, lag(finding) OVER one AS before
    FROM line
    WHERE finding IN ('stalled', 'warning', 'critical', 'lost', 'recovered', 'server_closed', 'client_closed', 'verdict')
    WINDOW one AS (PARTITION BY directory, observation, connection ORDER BY moment, filename)
), numbered AS (
    SELECT *, count(CASE WHEN finding IN ('stalled', 'warning', 'critical', 'lost')
                              AND (before IS NULL OR before IN ('recovered', 'client_closed', 'verdict')) THEN 1 END)
              OVER (PARTITION BY directory, observation, connection ORDER BY moment, filename) AS stall
    FROM in_order
)
SELECT directory, observation, connection, stall, client, server,
       min(moment) AS began, max(moment) AS ended,
       coalesce(max(server_program), 'mysqld') AS server_program,
       max(account."user") AS account, max(account."database") AS schema,
       max(account.connector.name) AS connector,
       max(reader.place) AS place, max(reader.comm) AS program,
       max(json_extract_string(statement, '$.text')) AS statement,
       arg_max(clock.timeout.seconds, moment) AS net_write_timeout,
       arg_max(clock.timeout.source, moment) AS timeout_source,
       -- Lost, unless the server was seen to go on after all.
       coalesce(arg_max(finding, moment) FILTER (WHERE finding IN ('lost', 'recovered')) = 'lost', false) AS lost,
       coalesce(bool_or(seen), false) AS seen,
       max(used) AS used,
       max(stalled_for) AS stalled_for,
       arg_max(queued, moment) AS queued, arg_max(unread, moment) AS unread,
       arg_max(verdict.kind, moment) AS verdict
FROM numbered
WHERE stall > 0
GROUP BY ALL;

-- The same, once for each stall: where the hosts of both ends record, both tell of it. That of the client's host is kept,
-- which knows whose connection it is, with what the other knows better. The addresses must be the same at both ends (no
-- translation between them), and the clocks within five seconds.
CREATE OR REPLACE TABLE stall AS
SELECT mine.* EXCLUDE (lost, seen, queued, unread, statement),
       bool_or(mine.lost OR coalesce(other.lost, false)) AS lost,
       bool_or(mine.seen OR coalesce(other.seen, false)) AS seen,
       coalesce(max(mine.queued), max(other.queued)) AS queued,
       coalesce(max(mine.unread), max(other.unread)) AS unread,
       coalesce(max(mine.statement), max(other.statement)) AS statement
FROM told AS mine
LEFT JOIN told AS other
  ON other.directory <> mine.directory AND other.client = mine.client AND other.server = mine.server
 AND other.began <= mine.ended + INTERVAL 5 SECOND AND mine.began <= other.ended + INTERVAL 5 SECOND
GROUP BY ALL
-- No other one is better; of two that are as good it is the first by name.
HAVING bool_and(other.directory IS NULL OR (mine.place IS NULL, mine.directory) < (other.place IS NULL, other.directory));
