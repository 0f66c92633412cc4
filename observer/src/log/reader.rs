//! Reading a log back.

use std::io::{BufRead, Read as _};

use anyhow::{Context as _, bail, ensure};

use super::{Header, Line, SCHEMA};

/// No line of a log is longer; what is longer is something else.
const LONGEST_LINE: u64 = 1 << 20;

/// Reads a log line by line. Errors name the line, counted from 1.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// When the input cannot be read or does not begin with the header of a log of this format.
    pub fn new(mut input: R) -> anyhow::Result<Self> {
        let mut text = Vec::new();
        let first = read_line(&mut input, &mut text).context("line 1")?;
        ensure!(first, "line 1: nothing there, an event log begins with a header");
        let line: Line = serde_json::from_slice(&text).context("line 1: not the header of an event log")?;
        let Line::Header(header) = line else { bail!("line 1: an event log begins with a header") };
        ensure!(header.schema == SCHEMA, "line 1: schema {:?}, this program reads {SCHEMA:?}", header.schema);
        Ok(Self { input, header: *header, line: 1, text })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn next_line(&mut self) -> anyhow::Result<Option<Line>> {
        self.line += 1;
        let number = self.line;
        if !read_line(&mut self.input, &mut self.text).with_context(|| format!("line {number}"))? {
            return Ok(None);
        }
        let line = serde_json::from_slice(&self.text)
            .with_context(|| format!("line {number}: not a line of an event log"))?;
        ensure!(!matches!(line, Line::Header(_)), "line {number}: a second header");
        Ok(Some(line))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = anyhow::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// Reads one whole line into `text`, without its end; `false` at the end of the input.
fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> anyhow::Result<bool> {
    text.clear();
    input.by_ref().take(LONGEST_LINE).read_until(b'\n', text)?;
    match text.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) if text.len() as u64 + 1 == LONGEST_LINE => bail!("longer than {LONGEST_LINE} bytes"),
        Some(_) => bail!("cut off: the end of the line is missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"type":"header","schema":"observer.log/1","version":"0.1.0","host":"db1","kernel":"6.1.0","started_at":"2024-05-04T14:03:41.204007Z","clock_offset":0.0,"ports":[3306],"net_write_timeout":{"seconds":60,"source":"assumed"},"warning_share":0.5,"critical_share":0.8,"max_connections":100,"sources":[]}"#;
    const EVENT: &str =
        r#"{"type":"event","at":"2024-05-04T14:03:41.204007Z","event":"sockets_polled","period":1}"#;

    /// The error that reading `log` ends with.
    fn complaint(log: &str) -> String {
        let error = match Reader::new(log.as_bytes()) {
            Ok(mut reader) => reader.find_map(Result::err).expect("the log was read to its end"),
            Err(error) => error,
        };
        format!("{error:#}")
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let header = HEADER.replace("\"ports\"", "\"colour\":\"blue\",\"ports\"");
        let event = EVENT.replace("\"period\"", "\"mood\":{\"good\":true},\"period\"");
        let log = format!("{header}\n{event}\n");
        assert_eq!(Reader::new(log.as_bytes()).unwrap().map(Result::unwrap).count(), 1);
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(complaint("").starts_with("line 1: "), "{}", complaint(""));
        assert!(complaint("{}\n").starts_with("line 1: "));
        assert!(complaint(&format!("{EVENT}\n")).starts_with("line 1: "));
        let third = [HEADER, EVENT, "{\"type\":\"event\",\"at\":7}"].join("\n") + "\n";
        assert!(complaint(&third).starts_with("line 3: "), "{}", complaint(&third));
        let twice = [HEADER, HEADER].join("\n") + "\n";
        assert_eq!(complaint(&twice), "line 2: a second header");
    }

    #[test]
    fn a_torn_line_is_an_error() {
        let log = format!("{HEADER}\n{EVENT}");
        assert_eq!(complaint(&log), "line 2: cut off: the end of the line is missing");
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = format!("{:#}", Reader::new(endless).unwrap_err());
        assert!(error.starts_with("line 1: longer than"), "{error}");
    }

    #[test]
    fn another_schema_is_refused() {
        let newer = HEADER.replace("log/1", "log/2") + "\n";
        assert!(complaint(&newer).contains("observer.log/2"), "{}", complaint(&newer));
    }
}
