//! A host of a fleet: this program again, in a process of its own, started as `redis --host …`. Its threads take turns and
//! write down when each was released, its backend which slots were granted and given back. What is written survives a
//! SIGKILL, as each record is one write.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use apiqueue::{ApiQueue, Stop};
use apiqueue_fleet::{
    Action, Answer, Away, Backend, Call, FleetLimit, LimitState, RedisBackend, Reply,
};
use rustix::time::{ClockId, clock_gettime};

/// What a host is told. All of a fleet are told the same but for the URL and the number.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) number: usize,
    pub(crate) folder: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) threads: usize,
    /// On the clock of [`now`].
    pub(crate) end: u64,
    pub(crate) timeout: Duration,
    pub(crate) away: Away,
    /// How long each thread's call takes.
    pub(crate) call: Duration,
    /// Its threads do nothing from then to then, on the clock of [`now`].
    pub(crate) idle: [u64; 2],
}

/// Microseconds of the clock that all processes of a machine share.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap() / 1_000
}

pub(crate) fn launch(orders: &Orders) -> Child {
    let away = match orders.away {
        Away::Share { at_most } => at_most.as_micros(),
        _ => 0,
    };
    Command::new(std::env::current_exe().unwrap())
        .arg("--host")
        .arg(&orders.url)
        .arg(orders.number.to_string())
        .arg(&orders.folder)
        .arg(orders.interval.as_micros().to_string())
        .arg(orders.threads.to_string())
        .arg(orders.end.to_string())
        .arg(orders.timeout.as_micros().to_string())
        .arg(away.to_string())
        .arg(orders.call.as_micros().to_string())
        .args(orders.idle.map(|at| at.to_string()))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// What `main` does as a host.
pub(crate) fn run(arguments: &[String]) {
    let [
        url,
        number,
        folder,
        interval,
        threads,
        end,
        timeout,
        away,
        call,
        from,
        to,
    ] = arguments
    else {
        panic!("not a host's arguments: {arguments:?}");
    };
    let micros = |text: &String| Duration::from_micros(text.parse().unwrap());
    let away = match micros(away) {
        Duration::ZERO => Away::Stop,
        at_most => Away::Share { at_most },
    };
    host(&Orders {
        url: url.clone(),
        number: number.parse().unwrap(),
        folder: folder.into(),
        interval: micros(interval),
        threads: threads.parse().unwrap(),
        end: end.parse().unwrap(),
        timeout: micros(timeout),
        away,
        call: micros(call),
        idle: [from, to].map(|at| at.parse().unwrap()),
    });
}

fn host(orders: &Orders) {
    let log = |kind| Arc::new(log_file(&orders.folder, orders.number, kind));
    let backend = Recorded {
        backend: RedisBackend::connect(&orders.url).unwrap(),
        log: log("leases"),
    };
    let commands = backend.backend.clone();
    let limit = FleetLimit::new("test", backend)
        .timeout(orders.timeout)
        .away(orders.away);
    let queue = ApiQueue::builder()
        .every(orders.interval)
        .shared(limit.clone())
        .start()
        .unwrap();
    let releases = log("releases");
    let workers: Vec<_> = (0..orders.threads)
        .map(|_| {
            let (queue, releases, end) = (queue.clone(), Arc::clone(&releases), orders.end);
            let (call, [from, to]) = (orders.call, orders.idle);
            thread::spawn(move || {
                while now() < end {
                    if (from..to).contains(&now()) {
                        let left = to - now().min(to);
                        thread::sleep(Duration::from_micros(left));
                    }
                    let waiter = queue.enqueue().unwrap();
                    if waiter.wait().is_err() {
                        break;
                    }
                    write(&releases, &[now()]);
                    if !call.is_zero() {
                        thread::sleep(call);
                    }
                }
            })
        })
        .collect();
    let left = orders.end.saturating_sub(now());
    thread::sleep(Duration::from_micros(left));
    let stats = limit.stats();
    // Those who wait for a slot far away, as the backend may be gone.
    queue.stop(Stop::Now);
    for worker in workers {
        worker.join().unwrap();
    }
    let numbers = [
        stats.backend_calls,
        commands.commands(),
        stats.backend_failures,
        stats.released_alone,
        stats.times_away,
    ];
    write(&log("stats"), &numbers);
}

fn log_file(folder: &Path, number: usize, kind: &str) -> File {
    let path = folder.join(format!("{number}.{kind}"));
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
}

/// One record.
fn write(mut log: &File, numbers: &[u64]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    log.write_all(&bytes).unwrap();
}

/// All records of a kind that a host wrote, of `N` numbers each.
pub(crate) fn records<const N: usize>(folder: &Path, number: usize, kind: &str) -> Vec<[u64; N]> {
    let path = folder.join(format!("{number}.{kind}"));
    let bytes = std::fs::read(path).unwrap_or_default();
    let (records, _) = bytes.as_chunks::<8>();
    let numbers: Vec<u64> = records.iter().map(|b| u64::from_le_bytes(*b)).collect();
    numbers.as_chunks::<N>().0.to_vec()
}

/// A backend that writes down each grant, `[first, count, step]`, and each slot that a host lets go, with a count of 0.
/// A slot is written down before it is sent back: the process may end before the answer comes, and by then another host may
/// have been granted it.
#[derive(Debug)]
struct Recorded {
    backend: RedisBackend,
    log: Arc<File>,
}

impl Backend for Recorded {
    fn call<'a>(&'a self, limit: &'a str, call: Call) -> Answer<'a, Reply> {
        Box::pin(async move {
            if let Action::GiveBack { slots, .. } = &call.action {
                for slots in slots {
                    for at in 0..u64::from(slots.count) {
                        write(&self.log, &[slots.first + at * slots.step, 0, 0]);
                    }
                }
            }
            let reply = self.backend.call(limit, call).await?;
            for slots in &reply.slots {
                write(
                    &self.log,
                    &[slots.first, u64::from(slots.count), slots.step],
                );
            }
            Ok(reply)
        })
    }

    fn look<'a>(&'a self, limit: &'a str) -> Answer<'a, Option<LimitState>> {
        self.backend.look(limit)
    }
}
