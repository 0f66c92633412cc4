//! Numbers of what a server says when it closes, by their names in include/mysqld_error.h without `ER_`.
//! <https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html>

/// It shuts down.
pub const SERVER_SHUTDOWN: u16 = 1053;
/// Of a connection that goes on, KILL QUERY; of one that ends, KILL CONNECTION.
pub const QUERY_INTERRUPTED: u16 = 1317;
/// MariaDB's, of KILL CONNECTION.
pub const CONNECTION_KILLED: u16 = 1927;
/// It has waited for a command for as long as wait_timeout says.
pub const CLIENT_INTERACTION_TIMEOUT: u16 = 4031;
