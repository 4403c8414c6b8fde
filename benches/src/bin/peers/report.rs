//! Figures as a table, or as one JSON object a line.

/// Prints what it is told.
pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A new table: a heading, and what its columns are.
    pub(crate) fn table(&mut self, heading: &str, columns: &[(&'static str, &'static str)]) {
        if !self.json {
            println!("\n{heading}");
            print!("  {:<28}", "");
            for (metric, unit) in columns {
                print!(" {:>18}", format!("{metric} {unit}"));
            }
            println!();
        }
    }

    /// A row of the table with these columns.
    pub(crate) fn row(
        &mut self,
        of: &str,
        contender: &str,
        columns: &[(&'static str, &'static str)],
        values: &[f64],
    ) {
        if self.json {
            for ((metric, unit), value) in columns.iter().zip(values) {
                println!(
                    r#"{{"metric":"{of}: {metric}","contender":"{contender}","value":{value:.4},"unit":"{unit}"}}"#
                );
            }
            return;
        }
        print!("  {contender:<28}");
        for value in values {
            print!(" {value:>18.3}");
        }
        println!();
    }
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
