//! What is kept and told of clients' statements.

use clap::Args;

use crate::mysql::Statements;

/// Options of all commands that see packets.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct StatementArgs {
    /// Keep nothing of what clients ask for
    ///
    /// Otherwise the first 256 bytes of the last command of every connection are kept in memory, and told when it stands
    /// still: without literals and comments.
    #[arg(long, conflicts_with = "raw_statements")]
    pub no_statements: bool,

    /// Tell statements as they are, with the literals in them: customers' data and passwords
    #[arg(long)]
    pub raw_statements: bool,
}

impl StatementArgs {
    /// What was asked for.
    pub fn statements(self) -> Statements {
        if self.no_statements {
            Statements::None
        } else if self.raw_statements {
            Statements::Raw
        } else {
            Statements::WithoutLiterals
        }
    }
}
