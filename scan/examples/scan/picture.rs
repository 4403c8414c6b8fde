//! The picture: EC2 calls over time in each mode, those that did work above, those that were throttled below.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::client::Failure;
use crate::modes::Mode;
use crate::options::Options;
use crate::report::plain;
use crate::run::Outcome;
use crate::tally::{BIN, Bin};

/// In units of the drawing. The SVG has one pixel for each, the PNG more.
const SIZE: (u32, u32) = (1000, 620);
const PNG_SCALE: u32 = 2;
const HEAD: u32 = 78;
const LEGEND_LINE: u32 = 22;
/// The longest mode is drawn in about so many steps.
const STEPS: f64 = 70.0;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Told apart by colour-blind eyes too.
fn color(mode: Mode) -> RGBColor {
    match mode {
        Mode::Retry => RGBColor(0xd5, 0x5e, 0x00),
        Mode::Latency => RGBColor(0x00, 0x72, 0xb2),
        Mode::Queue => RGBColor(0x00, 0x9e, 0x73),
        Mode::Adaptive => RGBColor(0xcc, 0x79, 0xa7),
    }
}

/// Draws the picture twice, as SVG and as PNG, and tells where.
///
/// # Errors
/// A place that can't be written to.
pub(crate) fn draw(outcomes: &[Outcome], options: &Options) -> Result<[PathBuf; 2], Failure> {
    // Fonts of the library's own: the picture needs none of the system's.
    for (style, font) in [
        (FontStyle::Normal, dejavu::sans::regular()),
        (FontStyle::Bold, dejavu::sans::bold()),
    ] {
        register_font("sans-serif", style, font).map_err(|_| "the font can't be read")?;
    }
    if let Some(folder) = options.picture.parent() {
        fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    let [svg, png] = ["svg", "png"].map(|ending| with_ending(&options.picture, ending));
    let failed = |path: &Path, why: String| format!("{}: {why}", path.display());

    let picture = Picture::new(outcomes, options, 1);
    picture
        .paint(&SVGBackend::new(&svg, picture.pixels()).into_drawing_area())
        .map_err(|why| failed(&svg, why.to_string()))?;
    let picture = Picture::new(outcomes, options, PNG_SCALE);
    picture
        .paint(&BitMapBackend::new(&png, picture.pixels()).into_drawing_area())
        .map_err(|why| failed(&png, why.to_string()))?;
    Ok([svg, png])
}

/// Puts an ending behind a name that may have a dot of its own.
fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(".");
    name.push(ending);
    name.into()
}

struct Picture<'a> {
    outcomes: &'a [Outcome],
    options: &'a Options,
    /// Pixels a unit.
    scale: u32,
    /// Seconds on the time axis, and a step of the curves.
    seconds: f64,
    step: f64,
}

type Painted<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;
type Panel<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl<'a> Picture<'a> {
    fn new(outcomes: &'a [Outcome], options: &'a Options, scale: u32) -> Self {
        let bin = BIN.as_secs_f64();
        let seconds = outcomes.iter().map(|outcome| outcome.wall);
        let seconds = seconds.fold(bin, f64::max);
        // 1, 2 or 5 times a power of ten bins.
        let wanted = (seconds / STEPS / bin).max(1.0);
        let power = 10_f64.powf(wanted.log10().floor());
        let round = [1.0, 2.0, 5.0].map(|step| step * power);
        let bins = round.into_iter().find(|&step| step >= wanted);
        Self {
            outcomes,
            options,
            scale,
            seconds,
            step: bin * bins.unwrap_or(10.0 * power),
        }
    }

    fn pixels(&self) -> (u32, u32) {
        (SIZE.0 * self.scale, SIZE.1 * self.scale)
    }

    fn units(&self, n: u32) -> i32 {
        (n * self.scale) as i32
    }

    fn font(&self, size: u32, style: FontStyle, color: RGBColor) -> TextStyle<'static> {
        let size = f64::from(size * self.scale);
        FontDesc::new(FontFamily::SansSerif, size, style).color(&color)
    }

    fn paint<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Painted<DB> {
        root.fill(&WHITE)?;
        let legend = LEGEND_LINE * self.outcomes.len() as u32;
        let (head, panels) = root.split_vertically(self.units(HEAD + legend));
        self.paint_head(&head)?;
        let height = panels.dim_in_pixel().1;
        let (upper, lower) = panels.split_vertically(height * 54 / 100);
        let refill = self.options.refill();
        self.paint_panel(
            &upper,
            "EC2 calls that did work, per second",
            |bin| bin.done,
            Some(refill),
        )?;
        self.paint_panel(
            &lower,
            "EC2 calls of the scanner that were throttled, per second",
            |bin| bin.throttled,
            None,
        )?;
        root.present()
    }

    /// The title, and a legend that says what each mode came to.
    fn paint_head<DB: DrawingBackend>(&self, head: &DrawingArea<DB, Shift>) -> Painted<DB> {
        let at = |x, y| (self.units(x), self.units(y));
        let title = "A scanner on an account whose API throttles";
        head.draw_text(title, &self.font(23, FontStyle::Bold, INK), at(24, 16))?;
        let about = format!(
            "{} threads list {} snapshots. The account's bucket holds {} calls; an auto-scaling group calls now and then too.",
            self.options.threads, self.options.calls, self.options.bucket,
        );
        head.draw_text(&about, &self.font(14, FontStyle::Normal, FAINT), at(24, 46))?;
        let middle = Pos::new(HPos::Left, VPos::Center);
        for (line, outcome) in (0..).zip(self.outcomes) {
            let y = HEAD + LEGEND_LINE * line + LEGEND_LINE / 2;
            let sample = [at(24, y - 1), at(52, y - 1)];
            let color = color(outcome.mode);
            head.draw(&PathElement::new(
                sample,
                color.stroke_width(4 * self.scale),
            ))?;
            let name = self.font(15, FontStyle::Bold, color).pos(middle);
            head.draw_text(outcome.mode.name(), &name, at(62, y))?;
            let text = self.font(15, FontStyle::Normal, INK);
            let right = Pos::new(HPos::Right, VPos::Center);
            let [time, throttled, failed] = verdict(outcome);
            head.draw_text(&time, &text.pos(right), at(200, y))?;
            head.draw_text(&throttled, &text.pos(middle), at(232, y))?;
            head.draw_text(&failed, &text.pos(middle), at(410, y))?;
        }
        Ok(())
    }

    fn paint_panel<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        name: &str,
        count: fn(&Bin) -> u32,
        mark: Option<f64>,
    ) -> Painted<DB> {
        let (above, area) = area.split_vertically(self.units(34));
        let heading = self.font(15, FontStyle::Bold, INK);
        above.draw_text(name, &heading, (self.units(24), self.units(14)))?;
        let curves: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| (color(outcome.mode), self.curve(outcome, count)))
            .collect();
        let values = curves.iter().flat_map(|(_, curve)| curve).map(|(_, y)| *y);
        let most = values.chain(mark).fold(1.0, f64::max) * 1.08;
        let is_last = mark.is_none();
        let mut panel = ChartBuilder::on(&area)
            .margin_left(self.units(16))
            .margin_right(self.units(86))
            .margin_bottom(self.units(if is_last { 12 } else { 0 }))
            .set_label_area_size(LabelAreaPosition::Left, self.units(46))
            .set_label_area_size(
                LabelAreaPosition::Bottom,
                self.units(if is_last { 44 } else { 24 }),
            )
            .build_cartesian_2d(0.0..self.seconds * 1.01, 0.0..most)?;
        self.paint_mesh(&mut panel, is_last)?;
        for (color, curve) in curves {
            panel.draw_series(LineSeries::new(
                curve,
                color.stroke_width(5 * self.scale / 2),
            ))?;
        }
        match mark {
            Some(refill) => self.paint_mark(&area, &mut panel, refill),
            None => Ok(()),
        }
    }

    fn paint_mesh<DB: DrawingBackend>(
        &self,
        panel: &mut Panel<'_, DB>,
        is_last: bool,
    ) -> Painted<DB> {
        let mut mesh = panel.configure_mesh();
        mesh.disable_x_mesh()
            .x_labels(15)
            .y_labels(6)
            .bold_line_style(GRID.stroke_width(self.scale))
            .light_line_style(WHITE)
            .axis_style(FAINT.stroke_width(self.scale))
            .label_style(self.font(13, FontStyle::Normal, FAINT))
            .axis_desc_style(self.font(14, FontStyle::Normal, INK))
            .x_label_formatter(&|x| plain(*x))
            .y_label_formatter(&|y| plain(*y));
        if is_last {
            mesh.x_desc("seconds since the start of the mode");
        }
        mesh.draw()
    }

    /// A dashed line at the refill, named in the margin, where no curve comes.
    fn paint_mark<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        panel: &mut Panel<'_, DB>,
        refill: f64,
    ) -> Painted<DB> {
        let end = self.seconds * 1.01;
        panel.draw_series(DashedLineSeries::new(
            [(0.0, refill), (end, refill)],
            self.units(5),
            self.units(4),
            FAINT.stroke_width(self.scale),
        ))?;
        let (x, y) = panel.backend_coord(&(end, refill));
        let (left, top) = area.get_base_pixel();
        let style = self.font(13, FontStyle::Normal, FAINT);
        area.draw_text(
            &format!("refill {}", plain(refill)),
            &style.pos(Pos::new(HPos::Left, VPos::Center)),
            (x - left + self.units(8), y - top),
        )
    }

    /// Calls per second as steps, up from nothing at the start of the mode and down to nothing at its end.
    fn curve(&self, outcome: &Outcome, count: fn(&Bin) -> u32) -> Vec<(f64, f64)> {
        let bins = (self.step / BIN.as_secs_f64()).round() as usize;
        let mut curve = vec![(0.0, 0.0)];
        for (number, bins) in (0..).zip(outcome.bins.chunks(bins.max(1))) {
            let from = f64::from(number) * self.step;
            let to = (from + self.step).min(outcome.wall);
            let calls: u32 = bins.iter().map(count).sum();
            // What is left at the end is too short to tell a rate from.
            if to - from < self.step / 2.0 && number > 0 {
                break;
            }
            let rate = f64::from(calls) / (to - from).max(f64::MIN_POSITIVE);
            curve.extend([(from, rate), (to, rate)]);
        }
        let last = curve.last().map_or(0.0, |(_, rate)| *rate);
        curve.extend([(outcome.wall, last), (outcome.wall, 0.0)]);
        curve
    }
}

/// What a mode came to: its time, its throttled calls, and what that did to the bystander.
fn verdict(outcome: &Outcome) -> [String; 3] {
    let throttled = match outcome.wasted {
        0 => "nothing throttled".to_owned(),
        calls => format!("{calls} calls throttled"),
    };
    let group = outcome.bystander.describe;
    let failed = match group.failed {
        0 => format!("none of the group's {} calls failed", group.made),
        calls => format!("{calls} of the group's {} calls failed", group.made),
    };
    [format!("{:.1} s", outcome.wall), throttled, failed]
}
