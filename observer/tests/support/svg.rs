//! Pictures of a screen of cells as SVG.
//!
//! Bars, rules and dots are drawn as rectangles, and each word has its place and its length, so that columns align
//! whatever fonts there are.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// A cell, in pixels.
const CELL: (f64, f64) = (8.43, 18.0);
/// Around the screen.
const MARGIN: f64 = 12.0;
const FONT: &str = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace";
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d7dce4";

/// A standalone SVG of the screen, called `title`.
pub(crate) fn svg(buffer: &Buffer, title: &str) -> String {
    let area = buffer.area;
    let width = f64::from(area.width) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(area.height) * CELL.1 + 2.0 * MARGIN;
    let mut svg = String::new();
    let title = escape(title);
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"14\">\n"
    )
    .unwrap();
    for y in 0..area.height {
        let cells: Vec<_> = (0..area.width).map(|x| &buffer[(x, y)]).collect();
        row(&mut svg, &cells, MARGIN + f64::from(y) * CELL.1);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn row(svg: &mut String, cells: &[&Cell], top: f64) {
    let mut left = MARGIN;
    for run in cells.chunk_by(|one, other| Look::of(one) == Look::of(other)) {
        left = Look::of(run[0]).draw(svg, run, left, top);
    }
}

/// How a run of cells looks.
#[derive(PartialEq)]
struct Look {
    ink: &'static str,
    paper: Option<&'static str>,
    bold: bool,
    dim: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut ink, mut paper) = (colour(cell.fg), (cell.bg != Color::Reset).then(|| colour(cell.bg)));
        if cell.modifier.contains(Modifier::REVERSED) {
            (ink, paper) = (paper.unwrap_or(BACKGROUND), Some(ink));
        }
        let has = |modifier| cell.modifier.contains(modifier);
        Self { ink, paper, bold: has(Modifier::BOLD), dim: has(Modifier::DIM) }
    }

    /// Draws cells that look like this; where they end.
    fn draw(&self, svg: &mut String, cells: &[&Cell], left: f64, top: f64) -> f64 {
        let (mut path, mut x) = (String::new(), left);
        let mut words: Vec<(f64, f64, String)> = Vec::new();
        for cell in cells {
            let symbol = cell.symbol();
            match symbol.chars().next() {
                None | Some(' ') => {}
                Some(c) if shape(&mut path, c, (x, top)) => {}
                Some(_) => match words.last_mut() {
                    Some((_, end, word)) if (*end - x).abs() < 1.0 => {
                        word.push_str(symbol);
                        *end = x + CELL.0;
                    }
                    _ => words.push((x, x + CELL.0, symbol.to_owned())),
                },
            }
            x += CELL.0;
        }
        if let Some(paper) = self.paper {
            let (width, height) = (x - left, CELL.1);
            writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{paper}\"/>"
            )
            .unwrap();
        }
        let dim = if self.dim { " opacity=\"0.6\"" } else { "" };
        if !path.is_empty() {
            writeln!(svg, "<path d=\"{path}\" fill=\"{}\"{dim}/>", self.ink).unwrap();
        }
        let bold = if self.bold { " font-weight=\"bold\"" } else { "" };
        let (ink, baseline) = (self.ink, top + 13.5);
        for (x, end, word) in words {
            let (length, word) = (end - x, escape(&word));
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{baseline:.1}\" textLength=\"{length:.1}\" fill=\"{ink}\"{bold}{dim}>{word}</text>"
            )
            .unwrap();
        }
        x
    }
}

/// Draws a character that is a shape; whether it is one.
fn shape(path: &mut String, c: char, (x, y): (f64, f64)) -> bool {
    let (wide, high) = CELL;
    let mut rect = |dx: f64, dy: f64, width: f64, height: f64| {
        write!(path, "M{:.1} {:.1}h{width:.1}v{height:.1}h-{width:.1}z", x + dx, y + dy).unwrap();
    };
    let code = u32::from(c);
    match c {
        '█' => rect(0.0, 2.0, wide + 0.15, high - 4.0),
        '\u{2581}'..='\u{2587}' => {
            let part = high * f64::from(code - 0x2580) / 8.0;
            rect(0.0, high - part, wide + 0.15, part);
        }
        '\u{2589}'..='\u{258f}' => rect(0.0, 2.0, wide * f64::from(0x2590 - code) / 8.0, high - 4.0),
        '░' => {
            for (dx, dy) in [(0.1, 0.2), (0.6, 0.4), (0.1, 0.6), (0.6, 0.8)] {
                rect(wide * dx, high * dy, 2.0, 2.0);
            }
        }
        '─' => rect(0.0, high / 2.0, wide + 0.15, 1.0),
        '│' => rect(wide / 2.0, 0.0, 1.0, high),
        '└' => {
            rect(wide / 2.0, 0.0, 1.0, high / 2.0);
            rect(wide / 2.0, high / 2.0, wide / 2.0, 1.0);
        }
        '┊' => {
            for part in 0..4 {
                rect(wide / 2.0 - 0.5, high * f64::from(part) / 4.0, 1.5, high / 8.0);
            }
        }
        '\u{2800}'..='\u{28ff}' => {
            // Unicode, Braille Patterns: the dots' bits column by column, the last row apart.
            const BITS: [[u32; 4]; 2] = [[0, 1, 2, 6], [3, 4, 5, 7]];
            for (column, bits) in (0..).zip(BITS) {
                for (row, bit) in (0..).zip(bits) {
                    if code & (1 << bit) != 0 {
                        rect(
                            wide * (0.25 + f64::from(column) * 0.5) - 1.0,
                            high * (0.125 + f64::from(row) * 0.25) - 1.0,
                            2.0,
                            2.0,
                        );
                    }
                }
            }
        }
        _ => return false,
    }
    true
}

/// The sixteen colours on a dark ground.
fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Black => "#14171c",
        Color::Red => "#ff6b6b",
        Color::Green => "#7ed491",
        Color::Yellow => "#f2c55c",
        Color::Blue => "#6aa9ff",
        Color::Magenta => "#d59bf6",
        Color::Cyan => "#5fd0dc",
        Color::Gray => "#b4bac4",
        Color::DarkGray => "#717784",
        Color::LightRed => "#ff8f8f",
        Color::LightGreen => "#a3e6b1",
        Color::LightYellow => "#f8dc92",
        Color::LightBlue => "#9ac6ff",
        Color::LightMagenta => "#e6c2fb",
        Color::LightCyan => "#97e4ec",
        _ => FOREGROUND,
    }
}

/// Text that cannot be markup; what XML cannot hold at all is replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
