//! Figures as tables, with the ratio to the best peer, or as one JSON object a line.

use comfy_table::{CellAlignment, Table as Grid, presets};
use serde_json::json;

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The smaller.
    Less,
    /// The larger.
    More,
    /// The one nearer to 1.
    One,
    /// Neither: it is there to explain others.
    Neither,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What is measured.
    pub name: &'static str,
    /// In what unit.
    pub unit: &'static str,
    /// Which is better.
    pub better: Better,
}

/// A column, in short.
#[must_use]
pub const fn column(name: &'static str, unit: &'static str, better: Better) -> Column {
    Column { name, unit, better }
}

/// Whose row it is, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A limit of the machine, which takes part in no ratio.
    Machine,
    /// This project's.
    Ours,
    /// Of something that a user could pick instead.
    Peer,
}

#[derive(Debug)]
struct Row {
    contender: String,
    role: Role,
    /// The rounds of each column. What does not apply to the contender is not a number.
    samples: Vec<Vec<f64>>,
}

/// The figures of one group of measurements.
#[derive(Debug)]
pub struct Table {
    /// As in the README's marks.
    pub name: String,
    /// Its heading.
    pub title: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Table {
    /// Without rows.
    #[must_use]
    pub fn new(name: impl Into<String>, title: impl Into<String>, columns: &[Column]) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a round's figures to the contender's row, a new one if it has none: one for each column, `NAN` where it does
    /// not apply.
    pub fn add(&mut self, contender: &str, role: Role, values: &[f64]) {
        assert_eq!(values.len(), self.columns.len(), "{contender}");
        let at = self.rows.iter().position(|row| row.contender == contender);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                contender: contender.to_owned(),
                role,
                samples: vec![Vec::new(); values.len()],
            });
            self.rows.len() - 1
        });
        for (samples, value) in self.rows[at].samples.iter_mut().zip(values) {
            samples.push(*value);
        }
    }

    /// The median of what a contender has in a column, by their names.
    #[must_use]
    pub fn value(&self, contender: &str, column: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.contender == contender)?;
        let at = self.columns.iter().position(|one| one.name == column)?;
        Some(median(&row.samples[at]))
    }

    fn best(&self, at: usize, role: Role) -> Option<f64> {
        let better = self.columns[at].better;
        self.rows
            .iter()
            .filter(|row| row.role == role)
            .map(|row| median(&row.samples[at]))
            .filter(|value| !value.is_nan())
            .min_by(|a, b| badness(*a, better).total_cmp(&badness(*b, better)))
    }

    /// How many times as bad as the best peer: at most 1 where it is at least as good.
    fn ratio(&self, value: f64, at: usize) -> Option<f64> {
        let better = self.columns[at].better;
        let best = badness(self.best(at, Role::Peer)?, better);
        let own = badness(value, better);
        match better {
            Better::Neither => None,
            _ if value.is_nan() => None,
            _ if own == best => Some(1.0),
            _ => Some(own / best),
        }
    }

    /// As Markdown, with a last row that sets the best of this project against the best peer.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::ASCII_MARKDOWN);
        let unit = |column: &Column| match column.unit {
            "" => column.name.to_owned(),
            unit => format!("{}, {unit}", column.name),
        };
        grid.set_header(std::iter::once(String::new()).chain(self.columns.iter().map(unit)));
        for row in &self.rows {
            let contender = match row.role {
                Role::Machine => format!("*{}*", row.contender),
                Role::Ours => format!("**{}**", row.contender),
                Role::Peer => row.contender.clone(),
            };
            let cells = row.samples.iter().map(|samples| cell(samples));
            grid.add_row(std::iter::once(contender).chain(cells));
        }
        let ratios: Vec<Option<f64>> = (0..self.columns.len())
            .map(|at| self.ratio(self.best(at, Role::Ours)?, at))
            .collect();
        if ratios.iter().any(Option::is_some) {
            let cells = ratios
                .iter()
                .map(|ratio| ratio.map_or("".to_owned(), times));
            grid.add_row(std::iter::once("apiqueue against the best peer".to_owned()).chain(cells));
        }
        for column in grid.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        grid.to_string()
    }

    /// One object for each figure.
    fn json(&self) -> impl Iterator<Item = String> {
        self.rows.iter().flat_map(move |row| {
            (0..self.columns.len()).filter_map(move |at| {
                let (value, column) = (median(&row.samples[at]), self.columns[at]);
                let ratio = match row.role {
                    Role::Machine => None,
                    _ => self.ratio(value, at).filter(|ratio| ratio.is_finite()),
                };
                let object = json!({
                    "metric": format!("{}: {}", self.title, column.name),
                    "contender": row.contender,
                    "value": value,
                    "unit": column.unit,
                    "spread": spread(&row.samples[at]),
                    "rounds": row.samples[at].len(),
                    "ratio": ratio,
                });
                (!value.is_nan()).then(|| object.to_string())
            })
        })
    }
}

fn badness(value: f64, better: Better) -> f64 {
    match better {
        Better::Less | Better::Neither => value,
        Better::More => 1.0 / value,
        Better::One => value.max(1.0 / value),
    }
}

fn cell(samples: &[f64]) -> String {
    let (value, spread) = (median(samples), spread(samples));
    match value {
        _ if value.is_nan() => "–".to_owned(),
        _ if spread == 0.0 => number(value, 4),
        _ => format!("{} ±{}", number(value, 4), number(spread, 2)),
    }
}

fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio.is_infinite() => "∞×".to_owned(),
        _ if ratio < 0.01 => "< 0.01×".to_owned(),
        _ if ratio >= 100.0 => format!("{ratio:.0}×"),
        _ => format!("{ratio:.2}×"),
    }
}

/// With so many digits that say something, and three behind the point at most.
fn number(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs().log10().floor() as i32;
    let behind = digits - 1 - size;
    if behind >= 1 && size < -3 {
        return format!("{value:.0e}");
    }
    if behind >= 1 {
        return format!("{value:.*}", behind.min(3).unsigned_abs() as usize);
    }
    let step = 10_f64.powi(-behind);
    thousands(((value / step).round() * step) as i64)
}

fn thousands(value: i64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digit.is_ascii_digit() && (digits.len() - at).is_multiple_of(3) && out != "-" {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The middle one. Not a number if one of them is not.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    if samples.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How far off the median the middle one of the rounds is.
fn spread(samples: &[f64]) -> f64 {
    let middle = median(samples);
    let off: Vec<f64> = samples.iter().map(|value| (value - middle).abs()).collect();
    median(&off)
}

/// Prints tables as they are done, and keeps them.
#[derive(Debug)]
pub struct Report {
    json: bool,
    tables: Vec<Table>,
}

impl Report {
    /// Without tables.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            json,
            tables: Vec::new(),
        }
    }

    /// Prints a table.
    pub fn show(&mut self, mut table: Table) {
        table.rows.sort_by_key(|row| row.role);
        if self.json {
            for line in table.json() {
                println!("{line}");
            }
        } else {
            println!("{}\n\n{}\n", table.title, table.markdown());
        }
        self.tables.push(table);
    }

    /// All tables so far.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Each table as a block for the README, under its name, with its title as a line of its own.
    #[must_use]
    pub fn blocks(&self) -> Vec<(String, String)> {
        self.tables
            .iter()
            .map(|table| {
                let block = format!("{}\n\n{}", table.title, table.markdown());
                (table.name.clone(), block)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(better: Better, rows: &[(&str, Role, f64)]) -> Table {
        let mut table = Table::new("t", "t", &[column("c", "", better)]);
        for (contender, role, value) in rows {
            table.add(contender, *role, &[*value]);
        }
        table
    }

    #[test]
    fn numbers_keep_the_digits_that_say_something() {
        let shown = [
            0.0,
            0.00012,
            0.0512,
            1.23456,
            12.3456,
            123.456,
            12345.6,
            39_357_037.0,
        ];
        assert_eq!(
            shown.map(|value| number(value, 4)),
            [
                "0",
                "1e-4",
                "0.051",
                "1.235",
                "12.35",
                "123.5",
                "12,350",
                "39,360,000"
            ]
        );
        assert_eq!(number(4_082_784.0, 2), "4,100,000");
    }

    #[test]
    fn a_machine_is_in_no_ratio_and_the_better_end_is_the_smaller_ratio() {
        let rows = [
            ("limit", Role::Machine, 1.0),
            ("ours", Role::Ours, 4.0),
            ("worse", Role::Peer, 1.5),
            ("best", Role::Peer, 2.0),
        ];
        assert_eq!(table(Better::More, &rows).ratio(4.0, 0), Some(0.5));
        assert_eq!(table(Better::Less, &rows).ratio(3.0, 0), Some(2.0));
        assert_eq!(table(Better::Neither, &rows).ratio(3.0, 0), None);
    }

    #[test]
    fn half_of_the_ideal_is_as_far_from_it_as_twice() {
        let rows = [("ours", Role::Ours, 0.5), ("peer", Role::Peer, 2.0)];
        assert_eq!(table(Better::One, &rows).ratio(0.5, 0), Some(1.0));
    }

    #[test]
    fn what_does_not_apply_is_a_dash_and_nobodys_best() {
        let rows = [("ours", Role::Ours, 3.0), ("peer", Role::Peer, f64::NAN)];
        let table = table(Better::Less, &rows);
        assert_eq!(table.ratio(3.0, 0), None);
        assert!(table.markdown().contains('–'));
    }
}
