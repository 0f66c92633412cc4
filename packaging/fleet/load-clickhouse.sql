-- load.sql for ClickHouse: the same tables, in the directory that file() reads from (user_files), or with s3(…) in its place.
-- The questions need list(DISTINCT x ORDER BY x) replaced by arraySort(groupUniqArray(x)), and in hosts.sql `part` for
-- json_extract_string(part, '$'). Parts that are there with and without .gz count twice here, and so do lines that an agent has sent
-- twice: bring finished ones alone.
-- Tried by hand with chdb 4.4.0 (ClickHouse 26.9), not by a test.
SET join_use_nulls = 1;

CREATE OR REPLACE TABLE line ENGINE = Memory AS
SELECT * EXCEPT (`at`), `at` AS moment,
       splitByChar('/', _path)[-2] AS directory,
       extract(_path, 'observer-([0-9TZ]+)-[0-9]+') AS observation, _path AS filename
FROM file('*/observer-*.jsonl*', JSONEachRow,
    'type String, `at` Nullable(DateTime64(6, \'UTC\')), finding Nullable(String), event Nullable(String), host Nullable(String), version Nullable(String),
     connection Nullable(UInt64), client Nullable(String), server Nullable(String), server_program Nullable(String),
     account Tuple(user Nullable(String), database Nullable(String), connector Tuple(name Nullable(String), version Nullable(String))),
     statement Tuple(text Nullable(String)), reader Tuple(comm Nullable(String), place Nullable(String)),
     clock Tuple(timeout Tuple(seconds Nullable(Float64), source Nullable(String))),
     used Nullable(Float64), seen Nullable(Bool), stalled_for Nullable(Float64), queued Nullable(UInt64), unread Nullable(UInt64),
     count Nullable(UInt64), lost_by Nullable(String), part Nullable(String), verdict Tuple(kind Nullable(String))')
WHERE type IN ('header', 'finding') OR event = 'events_lost'
SETTINGS input_format_skip_unknown_fields = 1, input_format_allow_errors_num = 1, date_time_input_format = 'best_effort',
         input_format_json_read_objects_as_strings = 1;

CREATE OR REPLACE TABLE told ENGINE = Memory AS
WITH in_order AS (
    SELECT *, lagInFrame(finding) OVER (PARTITION BY directory, observation, connection ORDER BY moment, filename
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS before
    FROM line
    WHERE finding IN ('stalled', 'warning', 'critical', 'lost', 'recovered', 'server_closed', 'client_closed', 'verdict')
), numbered AS (
    SELECT *, countIf(finding IN ('stalled', 'warning', 'critical', 'lost')
                      AND (before IS NULL OR before IN ('recovered', 'client_closed', 'verdict')))
              OVER (PARTITION BY directory, observation, connection ORDER BY moment, filename) AS stall
    FROM in_order
)
SELECT directory, observation, connection, stall, client, server,
       min(moment) AS began, max(moment) AS ended,
       coalesce(max(server_program), 'mysqld') AS server_program,
       max(account.user) AS account, max(account.database) AS schema,
       max(account.connector.name) AS connector,
       max(reader.place) AS place, max(reader.comm) AS program,
       max(statement.text) AS statement,
       argMax(clock.timeout.seconds, moment) AS net_write_timeout,
       argMax(clock.timeout.source, moment) AS timeout_source,
       coalesce(argMaxIf(finding, moment, finding IN ('lost', 'recovered')) = 'lost', false) AS lost,
       coalesce(max(seen), false) AS seen,
       max(used) AS used, max(stalled_for) AS stalled_for,
       argMax(queued, moment) AS queued, argMax(unread, moment) AS unread,
       argMax(verdict.kind, moment) AS verdict
FROM numbered
WHERE stall > 0
GROUP BY directory, observation, connection, stall, client, server;

CREATE OR REPLACE TABLE stall ENGINE = Memory AS
SELECT mine.* EXCEPT (lost, seen, queued, unread, statement),
       max(mine.lost OR coalesce(other.lost, false)) AS lost,
       max(mine.seen OR coalesce(other.seen, false)) AS seen,
       coalesce(max(mine.queued), max(other.queued)) AS queued,
       coalesce(max(mine.unread), max(other.unread)) AS unread,
       coalesce(max(mine.statement), max(other.statement)) AS statement
FROM told AS mine
LEFT JOIN told AS other
  ON other.directory <> mine.directory AND other.client = mine.client AND other.server = mine.server
 AND other.began <= mine.ended + INTERVAL 5 SECOND AND mine.began <= other.ended + INTERVAL 5 SECOND
GROUP BY ALL
HAVING min(other.directory IS NULL OR (mine.place IS NULL, mine.directory) < (other.place IS NULL, other.directory));
