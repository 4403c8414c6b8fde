//! `apiqueue status`: how shared limits are doing.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use apiqueue_fleet::LimitState;

use crate::error::{Failure, Outcome, unwritten};
use crate::pace::{Place, look};

/// How often it is drawn again.
const DRAW: Duration = Duration::from_millis(500);

/// Shows how a shared limit is doing: its rate, how far ahead it is granted, a hold, and who is there.
///
/// Without a name, all limits of this user that are kept in files. Changes nothing. Exit code 1 if the name is not known.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,

    /// Show it again twice a second, until it is ended
    #[arg(short, long)]
    watch: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let limits = args.place.limits()?;
    let is_screen = args.watch && io::stdout().is_terminal();
    let mut out = io::stdout().lock();
    loop {
        let mut text = String::new();
        let mut is_known = true;
        // Others may come while this looks on.
        let limits = match (&args.place.share, args.watch) {
            (None, true) => args.place.limits()?,
            _ => limits.clone(),
        };
        if limits.is_empty() {
            text.push_str("no limits\n");
        }
        for limit in &limits {
            let state = look(limit)?;
            is_known &= state.is_some();
            text.push_str(&block(limit.name(), state.as_ref()));
        }
        if is_screen {
            // To the top, and nothing below.
            text = format!("\x1b[H\x1b[J{text}");
        }
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(gone)?;
        if !args.watch {
            return Ok(ExitCode::from(u8::from(!is_known)));
        }
        thread::sleep(DRAW);
    }
}

fn gone(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(141, "the reader of standard output is gone"),
        _ => unwritten(error),
    }
}

fn block(name: &str, state: Option<&LimitState>) -> String {
    // A name can't have control characters in it.
    let Some(state) = state else {
        return format!("{name}: not known: nobody has used it here\n");
    };
    let terms = state.terms;
    let interval = terms.interval.max(1);
    let mut lines = vec![
        (
            "rate",
            format!("{}, one each {}", per_second(interval), span(interval)),
        ),
        (
            "next slot",
            match state.next {
                0 => "free now".to_owned(),
                next => format!("in {}", span(next)),
            },
        ),
        (
            "granted ahead",
            state
                .next
                .saturating_sub(terms.hold)
                .div_ceil(interval)
                .to_string(),
        ),
    ];
    if terms.hold > 0 {
        lines.push(("hold", format!("nothing for another {}", span(terms.hold))));
    }
    if state.learning > 0 {
        lines.push((
            "new",
            format!("nothing is granted for another {}", span(state.learning)),
        ));
    }
    lines.push(("seen lately", state.hosts.len().to_string()));
    let hosts = state.hosts.iter().map(|host| ("", host.label.clone()));
    lines.extend(hosts);
    let lines = lines
        .iter()
        .map(|(what, value)| format!("  {what:<14} {value}\n"));
    format!("{name}\n{}", lines.collect::<String>())
}

fn per_second(interval: u64) -> String {
    let per_second = 1e6 / interval as f64;
    let (count, unit) = match per_second {
        1.0.. => (per_second, "s"),
        _ if per_second * 60.0 >= 1.0 => (per_second * 60.0, "min"),
        _ => (per_second * 3600.0, "h"),
    };
    format!("{}/{unit}", (count * 1000.0).round() / 1000.0)
}

/// Of microseconds.
fn span(micros: u64) -> String {
    match micros {
        ..10_000_000 => format!("{} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}
