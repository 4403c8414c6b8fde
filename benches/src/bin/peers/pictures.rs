//! The two pictures: how gaps are distributed at one call each millisecond, and what waiting costs by the number of waiters.

use std::error::Error;
use std::fs;
use std::path::Path;

use apiqueue_benches::report::Role;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::idle::Waiting;
use crate::pacing::Gaps;

pub(crate) type Failure = Box<dyn Error>;
type Painted<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

const PNG_SCALE: u32 = 2;
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// Told apart by colour-blind eyes too.
const COLORS: [RGBColor; 8] = [
    RGBColor(0x88, 0x88, 0x88),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x44, 0x44, 0x44),
];

/// Draws what was measured, each picture as SVG and as PNG.
pub(crate) fn draw(
    folder: &Path,
    note: &str,
    gaps: &[Gaps],
    waiting: &[Waiting],
) -> Result<(), Failure> {
    // Fonts of the library's own: the pictures need none of the system's.
    for (style, font) in [
        (FontStyle::Normal, dejavu::sans::regular()),
        (FontStyle::Bold, dejavu::sans::bold()),
    ] {
        register_font("sans-serif", style, font).map_err(|_| "the font can't be read")?;
    }
    fs::create_dir_all(folder)?;
    let mut gaps: Vec<&Gaps> = gaps.iter().collect();
    gaps.sort_by_key(|(_, role, _)| *role);
    if !gaps.is_empty() {
        let height = 100 + GAP_ROW * u32::try_from(gaps.len())?;
        both(
            &folder.join("gaps"),
            (1000, height),
            |canvas| match canvas {
                Canvas::Svg(root) => paint_gaps(&root, 1, note, &gaps).map_err(Into::into),
                Canvas::Png(root) => paint_gaps(&root, PNG_SCALE, note, &gaps).map_err(Into::into),
            },
        )?;
    }
    if !waiting.is_empty() {
        both(
            &folder.join("waiting"),
            (1000, 720),
            |canvas| match canvas {
                Canvas::Svg(root) => paint_waiting(&root, 1, note, waiting).map_err(Into::into),
                Canvas::Png(root) => {
                    paint_waiting(&root, PNG_SCALE, note, waiting).map_err(Into::into)
                }
            },
        )?;
    }
    Ok(())
}

enum Canvas<'a> {
    Svg(DrawingArea<SVGBackend<'a>, Shift>),
    Png(DrawingArea<BitMapBackend<'a>, Shift>),
}

fn both(
    path: &Path,
    size: (u32, u32),
    paint: impl Fn(Canvas<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (svg, png) = (path.with_extension("svg"), path.with_extension("png"));
    paint(Canvas::Svg(SVGBackend::new(&svg, size).into_drawing_area()))?;
    let size = (size.0 * PNG_SCALE, size.1 * PNG_SCALE);
    paint(Canvas::Png(
        BitMapBackend::new(&png, size).into_drawing_area(),
    ))
}

fn font(scale: u32, size: u32, style: FontStyle, color: RGBColor) -> TextStyle<'static> {
    FontDesc::new(FontFamily::SansSerif, f64::from(size * scale), style).color(&color)
}

fn head<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    scale: u32,
    title: &str,
    note: &str,
) -> Painted<DB> {
    root.fill(&WHITE)?;
    let at = |x: u32, y: u32| ((x * scale) as i32, (y * scale) as i32);
    root.draw_text(title, &font(scale, 20, FontStyle::Bold, INK), at(24, 14))?;
    root.draw_text(note, &font(scale, 11, FontStyle::Normal, FAINT), at(24, 42))
}

const GAP_ROW: u32 = 44;
/// Intervals: what is longer is drawn at the end.
const LONGEST: f64 = 2.5;
const BINS: usize = 250;

/// A histogram for each contender, one below the other, each as high as its highest bar.
fn paint_gaps<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    scale: u32,
    note: &str,
    gaps: &[&Gaps],
) -> Painted<DB> {
    head(
        root,
        scale,
        "Gaps between calls at one each millisecond",
        note,
    )?;
    let units = |n: u32| (n * scale) as i32;
    let (left, width) = (300, 660);
    let x = |gap: f64| units(left) + (gap.min(LONGEST) / LONGEST * f64::from(width * scale)) as i32;
    let bottom = 66 + GAP_ROW * gaps.len() as u32;
    let label = font(scale, 12, FontStyle::Normal, FAINT);
    for tenth in (0..=25_u32).step_by(5) {
        let at = f64::from(tenth) / 10.0;
        let style = if tenth == 10 { FAINT } else { GRID };
        let line = [(x(at), units(66)), (x(at), units(bottom))];
        root.draw(&PathElement::new(line, style.stroke_width(scale)))?;
        let text = match tenth {
            25 => "2.5 ms and longer".to_owned(),
            _ => format!("{at} ms"),
        };
        let pos = Pos::new(
            if tenth == 25 {
                HPos::Right
            } else {
                HPos::Center
            },
            VPos::Top,
        );
        root.draw_text(&text, &label.pos(pos), (x(at), units(bottom + 8)))?;
    }
    for (row, (name, role, gaps)) in (1..).zip(gaps) {
        let base = units(66 + GAP_ROW * row);
        let color = match role {
            Role::Ours => COLORS[1],
            Role::Peer => COLORS[4],
            Role::Machine => COLORS[0],
        };
        let mut bins = vec![0_u32; BINS + 1];
        for gap in gaps {
            bins[((gap / LONGEST * BINS as f64) as usize).min(BINS)] += 1;
        }
        let most = f64::from(bins.iter().copied().max().unwrap_or(1).max(1));
        for (at, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = f64::from(*count) / most * f64::from((GAP_ROW - 10) * scale);
            let from = x(at as f64 * LONGEST / BINS as f64);
            let to = (from + units(width) / BINS as i32).max(from + 1);
            // What is rare is seen too.
            let top = base - (height as i32).max(units(1));
            root.draw(&Rectangle::new([(from, top), (to, base)], color.filled()))?;
        }
        let name_style = font(scale, 13, FontStyle::Normal, color);
        let right = name_style.pos(Pos::new(HPos::Right, VPos::Bottom));
        root.draw_text(name, &right, (units(left - 12), base))?;
    }
    root.present()
}

/// CPU and switches by the number of waiters, both on logarithmic axes.
fn paint_waiting<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    scale: u32,
    note: &str,
    waiting: &[Waiting],
) -> Painted<DB> {
    head(
        root,
        scale,
        "What it costs that many wait, at ten releases a second",
        note,
    )?;
    let units = |n: u32| (n * scale) as i32;
    let mut names: Vec<(Role, &str)> = Vec::new();
    for one in waiting {
        if !names.contains(&(one.role, one.contender)) {
            names.push((one.role, one.contender));
        }
    }
    names.sort_by_key(|(role, _)| *role);
    let (_, below) = root.split_vertically(units(66));
    let (left, legend) = below.split_horizontally(units(720));
    let panels = left.split_evenly((2, 1));
    for (panel, about, figure) in [
        (
            &panels[0],
            "CPU, milliseconds a second",
            (|one| one.cpu) as fn(&Waiting) -> f64,
        ),
        (&panels[1], "voluntary context switches a second", |one| {
            one.switches
        }),
    ] {
        let values = waiting.iter().map(figure).filter(|value| *value > 0.0);
        let (least, most) = values.fold((f64::MAX, 1.0_f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let mut chart = ChartBuilder::on(panel)
            .margin(units(12))
            .caption(about, font(scale, 14, FontStyle::Bold, INK))
            .set_label_area_size(LabelAreaPosition::Left, units(56))
            .set_label_area_size(LabelAreaPosition::Bottom, units(36))
            .build_cartesian_2d(
                (50.0..130_000.0_f64).log_scale(),
                (least * 0.7..most * 1.5).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_labels(6)
            .y_labels(6)
            .bold_line_style(GRID.stroke_width(scale))
            .light_line_style(WHITE)
            .axis_style(FAINT.stroke_width(scale))
            .label_style(font(scale, 12, FontStyle::Normal, FAINT))
            .x_label_formatter(&|x| format!("{x}"))
            .y_label_formatter(&|y| format!("{y}"))
            .x_desc("waiters")
            .draw()?;
        for (at, (role, name)) in names.iter().enumerate() {
            let color = COLORS[at % COLORS.len()];
            let points: Vec<_> = waiting
                .iter()
                .filter(|one| one.contender == *name)
                .map(|one| (one.waiters as f64, figure(one).max(least)))
                .collect();
            let width = if *role == Role::Ours { 4 } else { 2 };
            chart.draw_series(LineSeries::new(
                points.clone(),
                color.stroke_width(width * scale),
            ))?;
            chart.draw_series(points.iter().map(|&point| mark(at, point, units(4), color)))?;
        }
    }
    let middle = Pos::new(HPos::Left, VPos::Center);
    for (at, (_, name)) in names.iter().enumerate() {
        let color = COLORS[at % COLORS.len()];
        let y = units(40 + 26 * at as u32);
        let sample = [(units(4), y), (units(34), y)];
        legend.draw(&PathElement::new(sample, color.stroke_width(2 * scale)))?;
        legend.draw(&mark(at, (units(19), y), units(4), color))?;
        let style = font(scale, 13, FontStyle::Normal, INK).pos(middle);
        legend.draw_text(name, &style, (units(44), y))?;
    }
    root.present()
}

/// Colours repeat: those of the second time are hollow.
fn mark<C>(at: usize, point: C, size: i32, color: RGBColor) -> Circle<C, i32> {
    let style = match at < COLORS.len() {
        true => color.filled(),
        false => color.stroke_width(size.unsigned_abs() / 2),
    };
    Circle::new(point, size, style)
}
