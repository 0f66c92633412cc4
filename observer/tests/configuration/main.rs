//! Options from the environment and the file.

mod documents;
mod errors;
mod host;
mod shown;
mod values;
