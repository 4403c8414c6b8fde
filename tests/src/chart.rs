//! A line chart as SVG text: as much as the picture of the adaptive rates needs.

use core::fmt::Write;

/// One curve: its name with what it came to, its colour, and its points.
pub struct Curve<'a> {
    pub name: &'a str,
    pub color: &'a str,
    pub points: Vec<(f64, f64)>,
}

const SIZE: (f64, f64) = (1000.0, 480.0);
const LEFT: f64 = 60.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 48.0;
const LEGEND_LINE: f64 = 20.0;
const HEAD: f64 = 66.0;

/// The curves from 0 to `most` of each axis, with grid lines each `step`.
pub fn svg(
    (title, note): (&str, &str),
    curves: &[Curve<'_>],
    most: (f64, f64),
    step: (f64, f64),
) -> String {
    let top = HEAD + LEGEND_LINE * curves.len() as f64;
    let x = |at: f64| LEFT + at / most.0 * (SIZE.0 - LEFT - RIGHT);
    let y = |at: f64| SIZE.1 - BOTTOM - at.min(most.1) / most.1 * (SIZE.1 - BOTTOM - top);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"24\" y=\"30\" font-size=\"18\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"24\" y=\"50\" fill=\"#666666\">{note}</text>\n",
        SIZE.0, SIZE.1
    );
    let mut line = |from: (f64, f64), to: (f64, f64), label: (f64, f64), anchor: &str, at: f64| {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#e4e4e4\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{at}</text>",
            from.0, from.1, to.0, to.1, label.0, label.1
        );
    };
    for i in 0..=(most.0 / step.0) as u32 {
        let at = f64::from(i) * step.0;
        let label = (x(at), y(0.0) + 16.0);
        line((x(at), y(0.0)), (x(at), y(most.1)), label, "middle", at);
    }
    for i in 0..=(most.1 / step.1) as u32 {
        let at = f64::from(i) * step.1;
        let label = (LEFT - 8.0, y(at) + 4.0);
        line((x(0.0), y(at)), (x(most.0), y(at)), label, "end", at);
    }
    for (i, curve) in curves.iter().enumerate() {
        let mut path = String::new();
        for &(at, value) in &curve.points {
            let _ = write!(path, "{:.1},{:.1} ", x(at), y(value));
        }
        let level = HEAD + LEGEND_LINE * (i as f64 + 0.3);
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{0}\" stroke-width=\"1.6\" points=\"{path}\"/>\n\
             <path d=\"M24 {level}h28\" stroke=\"{0}\" stroke-width=\"4\"/>\
             <text x=\"62\" y=\"{1}\">{2}</text>",
            curve.color,
            level + 4.0,
            curve.name
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#666666\">seconds</text>\n</svg>",
        x(most.0 / 2.0),
        SIZE.1 - 10.0
    );
    out
}
