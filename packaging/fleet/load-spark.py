"""load.sql for Spark: the same tables, as views of a session.

    from load_spark import load
    load(spark, "fleet")
    spark.sql(open("services.sql").read().rstrip().rstrip(";")).show()

The questions need list(DISTINCT x ORDER BY x) replaced by array_sort(collect_set(x)), and in hosts.sql `part` for
json_extract_string(part, '$'). Parts that are there with and without .gz count twice here, and so do lines that an agent has sent
twice: bring finished ones alone.
Tried by hand with PySpark 3.5.5, not by a test.
"""

FIELDS = """
type STRING, `at` TIMESTAMP, finding STRING, event STRING, host STRING, version STRING,
 connection BIGINT, client STRING, server STRING, server_program STRING,
 account STRUCT<user: STRING, `database`: STRING, connector: STRUCT<name: STRING, version: STRING>>,
 statement STRUCT<text: STRING>, reader STRUCT<comm: STRING, place: STRING>,
 clock STRUCT<timeout: STRUCT<seconds: DOUBLE, source: STRING>>,
 used DOUBLE, seen BOOLEAN, stalled_for DOUBLE, queued BIGINT, unread BIGINT,
 count BIGINT, lost_by STRING, part STRING, verdict STRUCT<kind: STRING>
"""

VIEWS = """
CREATE OR REPLACE TEMP VIEW line AS
SELECT *,
       element_at(split(filename, '/'), -2) AS directory,
       regexp_extract(filename, 'observer-([0-9TZ]+)-[0-9]+', 1) AS observation
FROM raw
WHERE type IN ('header', 'finding') OR event = 'events_lost';

CREATE OR REPLACE TEMP VIEW told AS
WITH in_order AS (
    SELECT *, lag(finding) OVER (PARTITION BY directory, observation, connection ORDER BY moment, filename) AS before
    FROM line
    WHERE finding IN ('stalled', 'warning', 'critical', 'lost', 'recovered', 'server_closed', 'client_closed', 'verdict')
), numbered AS (
    SELECT *, count(CASE WHEN finding IN ('stalled', 'warning', 'critical', 'lost')
                                     AND (before IS NULL OR before IN ('recovered', 'client_closed', 'verdict')) THEN 1 END)
              OVER (PARTITION BY directory, observation, connection ORDER BY moment, filename) AS stall
    FROM in_order
)
SELECT directory, observation, connection, stall, client, server,
       min(moment) AS began, max(moment) AS ended,
       coalesce(max(server_program), 'mysqld') AS server_program,
       max(account.user) AS account, max(account.`database`) AS schema,
       max(account.connector.name) AS connector,
       max(reader.place) AS place, max(reader.comm) AS program,
       max(statement.text) AS statement,
       max_by(clock.timeout.seconds, moment) FILTER (WHERE clock.timeout.seconds IS NOT NULL) AS net_write_timeout,
       max_by(clock.timeout.source, moment) FILTER (WHERE clock.timeout.source IS NOT NULL) AS timeout_source,
       coalesce(max_by(finding, moment) FILTER (WHERE finding IN ('lost', 'recovered')) = 'lost', false) AS lost,
       coalesce(bool_or(seen), false) AS seen,
       max(used) AS used, max(stalled_for) AS stalled_for,
       max_by(queued, moment) FILTER (WHERE queued IS NOT NULL) AS queued, max_by(unread, moment) FILTER (WHERE unread IS NOT NULL) AS unread,
       max_by(verdict.kind, moment) FILTER (WHERE verdict.kind IS NOT NULL) AS verdict
FROM numbered
WHERE stall > 0
GROUP BY directory, observation, connection, stall, client, server;

CREATE OR REPLACE TEMP VIEW stall AS
SELECT mine.directory, mine.observation, mine.connection, mine.stall, mine.client, mine.server, mine.began, mine.ended,
       mine.server_program, mine.account, mine.schema, mine.connector, mine.place, mine.program,
       mine.net_write_timeout, mine.timeout_source, mine.used, mine.stalled_for, mine.verdict,
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
HAVING bool_and(other.directory IS NULL OR struct(mine.place IS NULL AS a, mine.directory AS b) < struct(other.place IS NULL AS a, other.directory AS b))
"""


def load(spark, fleet):
    """Makes the views `line`, `told` and `stall` of the logs below the directory `fleet`."""
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    lines = spark.read.schema(FIELDS).option("mode", "DROPMALFORMED").json(f"{fleet}/*/observer-*.jsonl*")
    lines = lines.withColumnRenamed("at", "moment").selectExpr("*", "input_file_name() AS filename")
    lines.createOrReplaceTempView("raw")
    for view in VIEWS.split(";"):
        if view.strip():
            spark.sql(view)
