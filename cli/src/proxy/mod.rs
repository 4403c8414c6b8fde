//! `apiqueue proxy`: a forward proxy on loopback that lets each request take its turn.
//!
//! | | |
//! |---|---|
//! | `args` | the command line |
//! | `head`, `key` | what becomes of a head, and which limit it counts on: functions of heads alone |
//! | `limits` | from a file to queues |
//! | `wait` | the turn, or why there is none |
//! | `body`, `told`, `codes` | bodies on their way, and what the queue hears of an answer |
//! | `upstream`, `tunnel` | connections to origins |
//! | `peer`, `serve` | connections of clients |
//! | `forward` | one request, from its head to its answer |
//! | `own` | answers of the proxy itself |

mod args;
mod body;
mod codes;
mod forward;
mod head;
mod key;
mod limits;
mod own;
mod peer;
mod serve;
mod told;
mod tunnel;
mod upstream;
mod wait;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::args::Args;
use self::forward::Proxy;
use self::head::Terms;
use self::serve::Bounds;
use crate::error::{Failure, Outcome};

/// Hosts of AWS: a client of them says `http://` only so that the request can be seen here.
const AWS: [&str; 3] = ["*.amazonaws.com", "*.amazonaws.com.cn", "*.api.aws"];

pub(crate) fn run(args: &Args) -> Outcome {
    if !args.listen.ip().is_loopback() && !args.open_to_others {
        return Err(Failure::usage(format_args!(
            "--listen {}: not in 127.0.0.0/8 or ::1, and whoever reaches it can call anything through it; say --open-to-others too if \
             that is meant",
            args.listen
        )));
    }
    let (route, tables) = limits::open(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::trouble(format_args!("no threads to be had: {why}")))?;
    let done = runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await;
        let listener = listener.and_then(|it| Ok((it.local_addr()?, it)));
        let (listens, listener) = listener
            .map_err(|why| Failure::trouble(format_args!("--listen {}: {why}", args.listen)))?;
        let upstream = upstream::upstream()
            .map_err(|why| Failure::trouble(format_args!("no TLS to be had: {why}")))?;
        let stop = stop()
            .map_err(|why| Failure::trouble(format_args!("signals can't be listened to: {why}")))?;
        let proxy = Arc::new(Proxy {
            terms: terms(args, listens),
            tables,
            route,
            upstream,
            max_wait: args.max_wait,
            body_timeout: args.body_timeout,
            tunnels: Mutex::new(HashSet::new()),
        });
        let bounds = Bounds {
            connections: args.connections as usize,
            head_timeout: args.head_timeout,
        };
        // Where standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "apiqueue: listening on {listens}");
        serve::serve(listener, proxy, bounds, stop).await;
        Ok(ExitCode::SUCCESS)
    });
    // Tunnels end here, and look-ups of names that nobody waits for any more.
    runtime.shutdown_background();
    done
}

fn terms(args: &Args, listens: SocketAddr) -> Terms {
    let number = RandomState::new().hash_one((std::process::id(), listens));
    Terms {
        name: format!("apiqueue-{number:016x}"),
        listens,
        tls: AWS
            .map(str::to_owned)
            .into_iter()
            .chain(args.tls.clone())
            .collect(),
    }
}

/// Ends at an interrupt or a request to terminate.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
