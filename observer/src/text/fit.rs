//! Text fitted to a number of terminal cells.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Terminal cells that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to `cells` at most, with an ellipsis where something is missing.
pub fn fit(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else { return String::new() };
    let mut fitted = start(text, room).to_owned();
    fitted.push('…');
    fitted
}

/// `text` cut to `cells` at most by leaving out its middle: of an address the end tells more than the middle.
pub fn shorten_middle(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else { return String::new() };
    // A port with its bracket is seven cells; the end gets the larger half.
    let head = start(text, room / 2);
    let mut tail = room - head.width();
    let from = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| {
            let width = c.width().unwrap_or(0);
            let fits = width <= tail;
            tail = tail.saturating_sub(width);
            fits
        })
        .last()
        .map_or(text.len(), |(index, _)| index);
    format!("{head}…{}", &text[from..])
}

/// `text` in lines of at most `cells`, broken between words; a word longer than that is cut.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= cells => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, cells)),
        }
    }
    lines
}

/// The beginning of `text` that fits into `cells`.
fn start(text: &str, cells: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > cells
    });
    end.map_or(text, |(index, _)| &text[..index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_by_cells_and_not_by_bytes() {
        assert_eq!(fit("mysqld", 6), "mysqld");
        assert_eq!(fit("mysqld", 5), "mysq…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…", "half a character is none");
        assert_eq!(fit("mysqld", 1), "…");
        assert_eq!(fit("mysqld", 0), "");
    }

    #[test]
    fn breaks_between_words() {
        assert_eq!(wrap("the client has  stopped reading", 11), ["the client", "has stopped", "reading"]);
        assert_eq!(wrap("net_write_timeout is 60", 8), ["net_wri…", "is 60"]);
        assert_eq!(wrap("", 8), Vec::<String>::new());
        assert_eq!(wrap("a b", 0), ["", ""]);
    }

    #[test]
    fn keeps_both_ends_of_an_address() {
        let address = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:41822";
        assert_eq!(shorten_middle(address, 44), address);
        assert_eq!(shorten_middle(address, 20), "[2001:db8…348]:41822");
        assert_eq!(shorten_middle(address, 0), "");
        for cells in 0..50 {
            assert!(shorten_middle(address, cells).width() <= cells);
        }
    }
}
