//! [`RedisCredentials`]: who connects, and where that is known from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::backend::BackendError;

/// A user of the server, and the password or token. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisCredentials {
    user: Option<String>,
    password: String,
}

impl RedisCredentials {
    /// Of a user, as servers since Redis 6.0 know them.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
        }
    }

    /// Of the default user, by the password alone.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
        }
    }

    pub(super) fn of(user: Option<&str>, password: Option<&str>) -> Option<Self> {
        Some(Self {
            user: user.map(str::to_owned),
            password: password?.to_owned(),
        })
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(super) fn secret(&self) -> &str {
        &self.password
    }

    /// The text without the password: a server may repeat the command that it does not know.
    pub(super) fn conceal(&self, text: String) -> String {
        if self.password.is_empty() {
            return text;
        }
        // What is printed as `Debug` escapes some characters.
        let escaped = self.password.escape_debug().to_string();
        text.replace(&self.password, HIDDEN)
            .replace(&escaped, HIDDEN)
    }
}

const HIDDEN: &str = "…";

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCredentials")
            .field("user", &self.user)
            .field("password", &HIDDEN)
            .finish()
    }
}

/// What a provider gives.
type Provided = Result<RedisCredentials, Box<dyn std::error::Error + Send + Sync>>;
pub(super) type Provider = Arc<dyn Fn() -> Provided + Send + Sync>;

/// Where the credentials of the next connection come from.
pub(super) enum Source {
    /// Always these, or none.
    Fixed(Option<RedisCredentials>),
    Provider {
        ask: Provider,
        /// An answer that did not come in time. It is waited for again, rather than asked for twice.
        late: Mutex<Option<JoinHandle<Provided>>>,
    },
}

impl Source {
    pub(super) fn is_provider(&self) -> bool {
        matches!(self, Self::Provider { .. })
    }

    /// # Errors
    /// [`BackendError::Away`]: the provider has none, not in time, or panicked.
    pub(super) async fn next(
        &self,
        within: Duration,
    ) -> Result<Option<RedisCredentials>, BackendError> {
        let (ask, late) = match self {
            Self::Fixed(credentials) => return Ok(credentials.clone()),
            Self::Provider { ask, late } => (ask, late),
        };
        let mut late = late.lock().await;
        let asked = match late.take() {
            Some(asked) => asked,
            None => {
                let ask = Arc::clone(ask);
                // It may do I/O, and calls over a live connection go on meanwhile.
                spawn_blocking(move || ask())
            }
        };
        let mut asked = asked;
        let given = match timeout(within, &mut asked).await {
            Ok(given) => given,
            Err(_) => {
                *late = Some(asked);
                return Err(away(format!("none within {within:?}")));
            }
        };
        match given {
            Ok(Ok(credentials)) => Ok(Some(credentials)),
            Ok(Err(why)) => Err(away(why.to_string())),
            Err(_) => Err(away("the provider panicked".to_owned())),
        }
    }
}

fn away(why: String) -> BackendError {
    BackendError::Away(format!("no credentials to connect with: {why}"))
}
