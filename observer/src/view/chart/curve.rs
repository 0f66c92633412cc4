//! A curve, brought down to the lowest and the highest value of each column of dots, and the dots.

use observer_core::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Dots of a cell beside and above each other (Unicode, Braille Patterns).
pub(super) const DOTS: (u16, u16) = (2, 4);

/// The lowest and the highest value of a column, in bytes.
pub(super) type Extremes = Option<(f64, f64)>;

/// A curve column by column: its cost is that of its points and of the columns, however much lies between them, and no
/// peak falls between two columns.
pub(super) struct Curve {
    pub(super) columns: Vec<Extremes>,
    /// How long before a change the old value still held, in columns.
    hold: f64,
    last: Option<(f64, f64)>,
}

impl Curve {
    /// An empty curve.
    pub(super) fn new(columns: usize, hold: f64) -> Self {
        Self { columns: vec![None; columns], hold, last: None }
    }

    /// The next point, in columns from the left edge: between two samples a line; after a pause, the value held until
    /// just before the change.
    pub(super) fn to(&mut self, x: f64, value: f64) {
        if let Some((x0, value0)) = self.last {
            let held = (x - self.hold).max(x0);
            self.stroke((x0, value0), (held, value0));
            self.stroke((held, value0), (x, value));
        }
        self.last = Some((x, value));
    }

    /// The last value holds until there.
    pub(super) fn hold_until(&mut self, x: f64) {
        if let Some((x0, value)) = self.last {
            self.stroke((x0, value), (x.max(x0), value));
        }
    }

    fn stroke(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) {
        let Some(last) = self.columns.len().checked_sub(1) else { return };
        #[expect(clippy::cast_precision_loss, reason = "columns of a screen")]
        let right = (last + 1) as f64;
        if x1 < 0.0 || x0 >= right {
            return;
        }
        let (left, right) = (x0.max(0.0), x1.min(right));
        let value = |x: f64| if x1 > x0 { y0 + (y1 - y0) * ((x - x0) / (x1 - x0)) } else { y1 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the columns")]
        let (from, to) = (left as usize, (right as usize).min(last));
        for column in from..=to {
            #[expect(clippy::cast_precision_loss, reason = "columns of a screen")]
            let (begins, ends) = (column as f64, (column + 1) as f64);
            let (a, b) = (value(left.max(begins).min(right)), value(right.min(ends)));
            // A step within no time is both of its values.
            let (a, b) = if x1 > x0 { (a, b) } else { (y0, y1) };
            let (low, high) = self.columns[column].unwrap_or((a, a));
            self.columns[column] = Some((low.min(a).min(b), high.max(a).max(b)));
        }
    }
}

/// The dots of a plot. What is drawn later gives a cell its style.
pub(super) struct Dots {
    area: Rect,
    cells: Vec<(u8, Style)>,
}

impl Dots {
    /// None yet.
    pub(super) fn new(area: Rect) -> Self {
        Self { area, cells: vec![(0, Style::new()); usize::from(area.width) * usize::from(area.height)] }
    }

    /// Draws a curve; `up` says how many dots from the bottom a value lies.
    pub(super) fn draw(&mut self, curve: &Curve, up: impl Fn(f64) -> u16, style: Style) {
        for (column, extremes) in (0..).zip(&curve.columns) {
            let Some((low, high)) = *extremes else { continue };
            for dot in up(low)..=up(high) {
                self.dot(column, dot, style);
            }
        }
    }

    fn dot(&mut self, column: u16, up: u16, style: Style) {
        const BITS: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];
        let (x, y) = (column / DOTS.0, up / DOTS.1);
        if x >= self.area.width || y >= self.area.height {
            return;
        }
        let cell = usize::from(self.area.height - 1 - y) * usize::from(self.area.width) + usize::from(x);
        let (bits, of_cell) = &mut self.cells[cell];
        *bits |= BITS[usize::from(column % DOTS.0)][usize::from(up % DOTS.1)];
        *of_cell = style;
    }

    /// Puts them on the screen.
    pub(super) fn put(&self, picture: &mut Buffer) {
        for (position, (bits, style)) in self.area.positions().zip(&self.cells) {
            if *bits > 0 {
                let symbol = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
                picture[position].set_char(symbol).set_style(*style);
            }
        }
    }
}

/// Points in columns from the left edge.
pub(super) fn curve(
    points: impl Iterator<Item = (Timestamp, u64)>,
    until: Timestamp,
    columns: usize,
    hold: f64,
    x: impl Fn(Timestamp) -> f64,
) -> Curve {
    let mut curve = Curve::new(columns, hold);
    for (at, value) in points {
        #[expect(clippy::cast_precision_loss, reason = "a picture")]
        curve.to(x(at), value as f64);
    }
    curve.hold_until(x(until));
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_between_two_columns_is_seen() {
        let mut curve = Curve::new(4, 0.0);
        for (x, value) in [(0.0, 10.0), (1.2, 10.0), (1.4, 0.0), (1.6, 10.0), (4.0, 10.0)] {
            curve.to(x, value);
        }
        assert_eq!(curve.columns, [(10.0, 10.0), (0.0, 10.0), (10.0, 10.0), (10.0, 10.0)].map(Some));
    }

    #[test]
    fn what_lies_outside_is_cut_and_a_line_goes_on() {
        let mut curve = Curve::new(2, 100.0);
        curve.to(-10.0, 0.0);
        curve.to(10.0, 20.0);
        assert_eq!(curve.columns, [(10.0, 11.0), (11.0, 12.0)].map(Some));
        let mut before = Curve::new(2, 0.0);
        before.to(-10.0, 0.0);
        before.hold_until(-5.0);
        assert_eq!(before.columns, [None, None]);
        let mut none = Curve::new(0, 0.0);
        none.to(0.0, 0.0);
        none.to(1.0, 1.0);
    }

    #[test]
    fn after_a_pause_the_old_value_holds() {
        let mut curve = Curve::new(4, 1.0);
        curve.to(0.0, 0.0);
        curve.to(4.0, 8.0);
        assert_eq!(curve.columns[..3], [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0)].map(Some));
        assert_eq!(curve.columns[3], Some((0.0, 8.0)));
    }

    #[test]
    fn dots_are_braille_and_stay_inside() {
        let area = Rect::new(1, 1, 1, 1);
        let mut dots = Dots::new(area);
        for (column, up) in [(0, 0), (1, 3), (2, 0), (0, 4)] {
            dots.dot(column, up, Style::new());
        }
        let mut picture = Buffer::empty(Rect::new(0, 0, 3, 3));
        dots.put(&mut picture);
        assert_eq!(picture[(1, 1)].symbol(), "⡈");
        assert_eq!(picture.content.iter().filter(|cell| cell.symbol() != " ").count(), 1);
    }
}
