//! How many reserve calls a second a file takes: of one process, of four that contend for one limit, and of four with a limit each.
//! `cargo bench -p apiqueue-fleet --bench file`; takes about 15 seconds. The directory is made in the system's one for temporary
//! files, or in the one that is given: `-- DIRECTORY`.
#![allow(clippy::unwrap_used, missing_docs)]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--caller", directory, limit, seconds] => unix::call(directory, limit, seconds),
        ["--bench", directory] | [directory] if directory != "--bench" => {
            unix::measure(Some(directory))
        }
        _ => unix::measure(None),
    }
}

#[cfg(unix)]
mod unix {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use apiqueue_fleet::{Action, Backend, Call, FileBackend, Terms};
    use futures_lite::future::block_on;
    use rustix::time::{ClockId, clock_gettime};

    const SECONDS: u32 = 3;

    pub(crate) fn measure(directory: Option<&str>) {
        let folder = match directory {
            Some(directory) => tempfile::tempdir_in(directory).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        println!("in {:?}, for {SECONDS} s each:", folder.path());
        for (what, processes, limits) in [
            ("1 process", 1, 1),
            ("4 processes, one limit", 4, 1),
            ("4 processes, a limit each", 4, 4),
        ] {
            let callers: Vec<_> = (0..processes)
                .map(|n| {
                    Command::new(std::env::current_exe().unwrap())
                        .arg("--caller")
                        .arg(folder.path())
                        .arg(format!("{what} {}", n % limits))
                        .arg(SECONDS.to_string())
                        .stdout(Stdio::piped())
                        .spawn()
                        .unwrap()
                })
                .collect();
            let counts: Vec<[u64; 2]> = callers
                .into_iter()
                .map(|caller| {
                    let output = caller.wait_with_output().unwrap();
                    let text = String::from_utf8(output.stdout).unwrap();
                    let (calls, used) = text.trim().split_once(' ').unwrap();
                    [calls.parse().unwrap(), used.parse().unwrap()]
                })
                .collect();
            let calls: u64 = counts.iter().map(|[calls, _]| calls).sum();
            let used: u64 = counts.iter().map(|[_, used]| used).sum();
            let shares: Vec<_> = counts.iter().map(|[it, _]| 100 * it / calls).collect();
            println!(
                "  {what}: {} calls a second, {:.1} µs of processor time each; shares {shares:?} %",
                calls / u64::from(SECONDS),
                used as f64 / calls as f64,
            );
        }
    }

    /// What one process does: it prints how many calls it has made, and its processor time in microseconds.
    pub(crate) fn call(directory: &str, limit: &str, seconds: &str) {
        let files = FileBackend::open(directory).unwrap();
        let id = std::process::id();
        let ask = Call {
            host: u64::from(id),
            label: id.to_string().into(),
            priority: 0,
            known: Terms {
                interval: 1,
                ..Terms::default()
            },
            grace: 0,
            window: 10_000_000,
            action: Action::Reserve {
                want: 1,
                spacing: 0,
                after: 0,
                horizon: 2_000_000,
                burst: 1,
                gathered: 0,
            },
        };
        let end = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
        let mut calls: u64 = 0;
        while Instant::now() < end {
            let reply = block_on(files.call(limit, ask.clone())).unwrap();
            assert_eq!(reply.granted(), 1);
            calls += 1;
        }
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec * 1_000_000 + used.tv_nsec / 1_000;
        println!("{calls} {used}");
    }
}
