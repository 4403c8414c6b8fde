//! [`Link`]: one connection for all calls, made anew by the next call after it has failed.
//!
//! Not the redis crate's `ConnectionManager`: that one goes on with a connection whose server has become a read-only replica,
//! or from which nothing comes any more because a box on the way has forgotten it; and it can't ask sentinels again.
//!
//! | the server's answer | then |
//! |---|---|
//! | `NOSCRIPT` | the script's text is sent |
//! | `MOVED` (cluster), `READONLY` (it was demoted) | nothing was done: sent again, once over a new connection in the latter case |
//! | `LOADING`, `BUSY`, `OOM`, `MISCONF`, `NOREPLICAS`, `ASK`, `TRYAGAIN` | the backend is away |
//! | `CLUSTERDOWN`, `MASTERDOWN`, too many clients | the backend is away, the connection is dropped |
//! | none, as the connection had ended before | nothing was sent: sent over a new one |
//! | none in time, or the connection broke | the backend is away, the connection is dropped; never sent again |
//! | `WRONGPASS`, `NOAUTH`, `NOPERM` for who may not connect or run scripts, a certificate | refused, the connection is dropped |
//! | an answer that is not one of the script's | the same: it may belong to another command |
//! | `MOVED` by who is not known to be of a cluster, any other error | refused |
//!
//! A connection that is dropped before a script's answer came over it, and one that can't be made, begin a pause in which calls
//! fail with the same error, without a try: see [`Pace`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::{Cmd, ConnectionAddr, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connect::{Connection, Connector, Unanswered};
use super::credentials::{RedisCredentials, Source};
use super::keys::KeySpace;
use super::meaning::{Meaning, shown, told};
use super::options::RedisOptions;
use super::pace::{Pace, Strike};
use super::script::{Call, Script};
use super::status::Record;
use super::target::Target;
#[cfg(feature = "tls")]
use super::target::refused;
use crate::backend::BackendError;

/// How often a command goes out that was not executed.
const ATTEMPTS: u32 = 3;

pub(super) struct Link {
    connector: Connector,
    source: Source,
    pub(super) keys: KeySpace,
    connect_timeout: Duration,
    response_timeout: Duration,
    pub(super) record: Record,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// The number of the last connection.
    connects: u64,
    pace: Pace,
    /// What began the pause, when, and who was refused.
    failed: Option<(Instant, BackendError, Option<RedisCredentials>)>,
    /// A server that took no writes.
    demoted: Option<ConnectionAddr>,
}

#[derive(Clone)]
struct Live {
    number: u64,
    connection: Connection,
    address: Option<ConnectionAddr>,
    who: Option<RedisCredentials>,
    /// When it was begun to make it.
    began: Instant,
    /// Whether anything was answered over it.
    proven: Arc<AtomicBool>,
}

/// What to send where the server does not know a script.
type Long<'a> = dyn Fn() -> Cmd + Send + Sync + 'a;

impl Link {
    /// # Errors
    /// Options that can't be used, or not with this target.
    pub(super) fn new(target: Target, options: RedisOptions) -> Result<Self, BackendError> {
        let keys = options.check()?;
        #[cfg(feature = "tls")]
        if !options.certificates.is_empty() && !target.is_over_tls() {
            return Err(refused(
                "certificates are for rediss://, rediss-sentinel:// and rediss-cluster://",
            ));
        }
        Ok(Self {
            source: options.source(target.credentials),
            connector: Connector {
                place: target.place,
                database: target.database,
                #[cfg(feature = "cluster")]
                timeouts: (options.connect_timeout / 2, options.response_timeout),
                #[cfg(feature = "tls")]
                certificates: options.certificates,
            },
            keys,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            record: Record::new(),
            state: Mutex::default(),
        })
    }

    /// Has the server run a script, and makes of its answer what `read` does.
    pub(super) async fn call<T>(
        &self,
        script: &Script,
        call: Call,
        read: fn(&Value) -> Option<T>,
    ) -> Result<T, BackendError> {
        let (short, long) = (script.short(&call), || script.long(&call));
        self.tell(short, Some(&long), read).await
    }

    /// Has the server carry out a command, and makes of its answer what `read` does.
    pub(super) async fn command<T>(
        &self,
        command: Cmd,
        read: fn(&Value) -> Option<T>,
    ) -> Result<T, BackendError> {
        self.tell(command, None, read).await
    }

    async fn tell<T>(
        &self,
        command: Cmd,
        long: Option<&Long<'_>>,
        read: fn(&Value) -> Option<T>,
    ) -> Result<T, BackendError> {
        let answer = self.ask(command, long, read).await;
        if let Err(why) = &answer {
            self.record.failed(why);
        }
        answer
    }

    async fn ask<T>(
        &self,
        mut command: Cmd,
        long: Option<&Long<'_>>,
        read: fn(&Value) -> Option<T>,
    ) -> Result<T, BackendError> {
        let since = Instant::now();
        let mut attempt = 1;
        let mut demoted = false;
        loop {
            let mut live = self.connection(since).await?;
            self.record.command();
            let again = attempt < ATTEMPTS;
            let sent = live.connection.send(&command);
            let error = match timeout(self.response_timeout, sent).await {
                Ok(Ok(value)) => match read(&value) {
                    Some(answer) => {
                        self.prove(&live).await;
                        return Ok(answer);
                    }
                    None => {
                        let why = format!(
                            "not an answer to the command: {}",
                            shown(&value, live.who.as_ref())
                        );
                        return Err(self.drop_live(&live, BackendError::Refused(why)).await);
                    }
                },
                Ok(Err(Unanswered { error, sent })) => {
                    if !sent && again && live.proven.load(Ordering::Relaxed) {
                        // It had ended while nobody called, as idle ones do.
                        self.let_go(&live, told(&error, None), None).await;
                        attempt += 1;
                        continue;
                    }
                    error
                }
                Err(_) => {
                    let why = format!("no answer within {:?}", self.response_timeout);
                    return Err(self.drop_live(&live, BackendError::Away(why)).await);
                }
            };
            let why = || told(&error, live.who.as_ref());
            match Meaning::of(&error) {
                Meaning::NoScript if again && long.is_some() => {
                    if let Some(long) = long {
                        command = long();
                    }
                }
                Meaning::Moved if again && self.connector.is_cluster() => {}
                Meaning::ReadOnly => {
                    if let Some(why) = self.leave_demoted(&live, why(), demoted).await {
                        return Err(why);
                    }
                    demoted = true;
                }
                Meaning::Broken => return Err(self.drop_live(&live, why()).await),
                Meaning::Moved if !self.connector.is_cluster() => {
                    return Err(BackendError::Refused(format!(
                        "the server is a node of a cluster: its URL begins with redis-cluster:// ({})",
                        error.code().unwrap_or_default()
                    )));
                }
                Meaning::Unwelcome => return Err(self.refuse(&live, why()).await),
                Meaning::NoScript | Meaning::Moved | Meaning::NotNow | Meaning::Refused => {
                    return Err(why());
                }
            }
            attempt += 1;
        }
    }

    /// The live connection, or a new one. Those who wait meanwhile for an attempt that fails fail with it.
    async fn connection(&self, since: Instant) -> Result<Live, BackendError> {
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        let mut who = None;
        if let Some((at, error, refused)) = &state.failed {
            let pause = state.pace.pause(Instant::now());
            if *at > since || pause.is_some() {
                let is_refused = matches!(pause, Some((Strike::Refused, _)));
                if !(is_refused && self.source.is_provider()) {
                    return Err(error.clone());
                }
                match self.source.next(self.connect_timeout).await {
                    Ok(others) if others != *refused => who = Some(others),
                    _ => return Err(error.clone()),
                }
            }
        }
        let asked = Instant::now();
        let who = match who {
            Some(who) => who,
            None => match self.source.next(self.connect_timeout).await {
                Ok(who) => who,
                Err(why) => return Err(self.fail(&mut state, (Strike::Away, asked), why, None)),
            },
        };
        let (began, demoted) = (Instant::now(), state.demoted.clone());
        let connecting = self.connector.connect(who.as_ref(), demoted.as_ref());
        let (strike, why) = match timeout(self.connect_timeout, connecting).await {
            Ok(Ok((connection, address))) => {
                state.connects += 1;
                let live = Live {
                    number: state.connects,
                    connection,
                    address,
                    who,
                    began,
                    proven: Arc::default(),
                };
                state.live = Some(live.clone());
                self.record.connected();
                return Ok(live);
            }
            Ok(Err(error)) => match told(&error, who.as_ref()) {
                why @ BackendError::Refused(_) => (Strike::Refused, why),
                why => (Strike::Away, why),
            },
            Err(_) => {
                let why = format!("no connection within {:?}", self.connect_timeout);
                (Strike::Away, BackendError::Away(why))
            }
        };
        Err(self.fail(&mut state, (strike, began), why, who))
    }

    /// No connection could be made.
    fn fail(
        &self,
        state: &mut State,
        strike: (Strike, Instant),
        why: BackendError,
        who: Option<RedisCredentials>,
    ) -> BackendError {
        self.record.not_connected();
        state.pause(strike, why.clone(), who);
        why
    }

    /// Something was answered: the next time that a connection breaks, another one is made at once.
    async fn prove(&self, live: &Live) {
        if !live.proven.swap(true, Ordering::Relaxed) {
            let mut state = self.state.lock().await;
            state.pace.clear();
            state.failed = None;
            state.demoted = None;
        }
    }

    /// Drops a connection that is of no use any more, and gives back why.
    async fn drop_live(&self, live: &Live, why: BackendError) -> BackendError {
        let strike = (!live.proven.load(Ordering::Relaxed)).then_some(Strike::Away);
        self.let_go(live, why, strike).await
    }

    /// The same for one whose server does not want us.
    async fn refuse(&self, live: &Live, why: BackendError) -> BackendError {
        self.let_go(live, why, Some(Strike::Refused)).await
    }

    /// The same for one whose server has become a replica. `None` where another connection is worth a try at once: not for a `second`
    /// time.
    async fn leave_demoted(
        &self,
        live: &Live,
        why: BackendError,
        second: bool,
    ) -> Option<BackendError> {
        let mut state = self.state.lock().await;
        state.demoted.clone_from(&live.address);
        let last = second || state.pace.has_struck();
        drop(state);
        let why = self.let_go(live, why, last.then_some(Strike::Away)).await;
        last.then_some(why)
    }

    /// Unless another connection has taken its place.
    async fn let_go(&self, live: &Live, why: BackendError, strike: Option<Strike>) -> BackendError {
        let mut state = self.state.lock().await;
        let is_last = |last: &Live| last.number == live.number;
        if state.live.as_ref().is_some_and(is_last) {
            state.live = None;
            self.record.disconnected();
            if let Some(strike) = strike {
                state.pause((strike, live.began), why.clone(), live.who.clone());
            }
        }
        why
    }
}

impl State {
    /// For an attempt that began then.
    fn pause(
        &mut self,
        (strike, began): (Strike, Instant),
        why: BackendError,
        who: Option<RedisCredentials>,
    ) {
        self.pace.strike(strike, began);
        self.failed = Some((Instant::now(), why, who));
    }
}
