//! What can be done in the client's own library, by the name it logs in with.

use crate::statement::Connector;

/// Names as the libraries send them in `_client_name` or `_connector_name`, in lower case, and what there is in each.
const SETTINGS: [(&str, &str); 11] = [
    (
        "aiomysql",
        "In aiomysql, Cursor and DictCursor take the whole result at once; SSCursor and SSDictCursor leave it in the \
         connection, so read their rows in one go with fetchmany and work on them in another task.",
    ),
    (
        "pymysql",
        "In PyMySQL, Cursor and DictCursor take the whole result at once; SSCursor and SSDictCursor leave it in the \
         connection until its rows are fetched.",
    ),
    (
        "mysql-connector-python",
        "In Connector/Python, cursor(buffered=True) takes the whole result at once; without it the result stays in the \
         connection until its rows are fetched.",
    ),
    (
        "mysql connector/j",
        "In Connector/J, netTimeoutForStreamingResults is the net_write_timeout it sets for a streamed result (600 s by \
         default); useCursorFetch=true with setFetchSize(n) leaves the result in the server and fetches n rows at a time.",
    ),
    (
        "mariadb connector/j",
        "In MariaDB Connector/J, a statement without setFetchSize takes the whole result at once, and \
         sessionVariables=net_write_timeout=N in the URL sets it for every session.",
    ),
    (
        "node-mysql-2",
        "In mysql2, the highWaterMark of query().stream() is how many rows are read ahead: the server waits while the \
         connection is paused, or nobody reads the stream. When it gives up, only the connection has an 'error': the stream \
         neither fails nor ends.",
    ),
    (
        "go-mysql-driver",
        "In Go, rows stay in the connection until Next() is called: collect them first and work on them behind \
         rows.Close(), or set net_write_timeout=N in the DSN for every session.",
    ),
    (
        "mysqlnd",
        "In PHP, a buffered query takes the whole result at once: mysqli's MYSQLI_STORE_RESULT, PDO's \
         PDO::MYSQL_ATTR_USE_BUFFERED_QUERY.",
    ),
    ("libmysql", STORE_RESULT),
    ("libmariadb", STORE_RESULT),
    ("libmariadbclient", STORE_RESULT),
];

const STORE_RESULT: &str = "In the C API, mysql_store_result() takes the whole result at once; mysql_use_result() leaves it \
     in the connection until its rows are fetched.";

/// Programs that use the C API, by the name they log in with.
const PROGRAMS: [(&str, &str); 4] =
    [("mysql", QUICK), ("mariadb", QUICK), ("mysqldump", DUMP), ("mariadb-dump", DUMP)];

const QUICK: &str = "The command-line client with --quick reads a row when it has written the one before: what it writes \
     into has to take them, or leave --quick out.";

const DUMP: &str = "mysqldump reads a row when it has written the one before: what it writes into has to take them, or \
     --skip-quick takes each table into memory first.";

/// What there is in the library, or the program, of this name.
pub(super) fn setting(connector: &Connector) -> Option<&'static str> {
    let find = |table: &[(&str, &'static str)], name: Option<&str>| {
        let name = name?;
        table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, text)| *text)
    };
    let library = find(&SETTINGS, connector.name.as_deref());
    // A program of any library may call itself anything.
    let of_c = library.is_some_and(|text| text == STORE_RESULT);
    let program = find(&PROGRAMS, connector.program.as_deref()).filter(|_| of_c);
    program.or(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, program: Option<&str>) -> Option<&'static str> {
        let program = program.map(str::to_owned);
        setting(&Connector { name: Some(name.to_owned()), program, ..Connector::default() })
    }

    #[test]
    fn a_library_is_known_by_its_name() {
        for (name, words) in [
            ("aiomysql", "SSCursor"),
            ("pymysql", "SSCursor"),
            ("MySQL Connector/J", "netTimeoutForStreamingResults"),
            ("Node-MySQL-2", "highWaterMark"),
            ("Go-MySQL-Driver", "DSN"),
            ("libmariadb", "mysql_store_result()"),
        ] {
            assert!(of(name, Some("etl")).unwrap().contains(words), "{name}");
        }
        assert_eq!(of("something else", Some("mysql")), None);
    }

    #[test]
    fn a_program_counts_before_its_library() {
        assert_eq!(of("libmysql", Some("mysql")), Some(QUICK));
        assert_eq!(of("libmysql", Some("mysqldump")), Some(DUMP));
        assert_eq!(of("pymysql", Some("mysql")), of("pymysql", None));
    }
}
