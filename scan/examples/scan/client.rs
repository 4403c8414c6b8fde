//! An HTTP client of the account: one pool of connections for all threads that use it.

use std::fmt;
use std::time::Duration;

use ureq::http::header::AUTHORIZATION;

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// EC2, which throttles, for this action.
    Ec2(&'static str),
    /// Another one, at this path, which does not.
    Other(&'static str),
}

/// What became of a call that was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// `RequestLimitExceeded` and its like: status 503 or 429.
    Throttled,
}

/// Why the scan can't go on.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    credential: String,
    timeout: Duration,
}

impl Client {
    /// A client of the server at `url`, with up to `connections` kept open. `user` is only told, not looked at: the
    /// account is the same for everybody here.
    pub(crate) fn new(url: &str, user: &str, connections: usize, timeout: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(timeout))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build()
            .into();
        Self {
            agent,
            url: url.to_owned(),
            credential: format!("Credential=123456789012/{user}"),
            timeout,
        }
    }

    /// Makes one call and reads the whole answer.
    pub(crate) fn call(&self, service: Service) -> Result<Answer, Failure> {
        let url = match service {
            Service::Ec2(action) => format!("{}/?Action={action}", self.url),
            Service::Other(path) => format!("{}/{path}", self.url),
        };
        self.get(&url).map_err(|why| format!("{url} {why}").into())
    }

    fn get(&self, url: &str) -> Result<Answer, Unanswered> {
        let request = self.agent.get(url).header(AUTHORIZATION, &self.credential);
        let explain = |why| Unanswered::new(why, self.timeout);
        let mut response = request.call().map_err(explain)?;
        response.body_mut().read_to_vec().map_err(explain)?;
        match response.status().as_u16() {
            200 => Ok(Answer::Done),
            429 | 503 => Ok(Answer::Throttled),
            other => Err(Unanswered::Status(other)),
        }
    }
}

/// What went wrong with a call, in words that follow its URL.
enum Unanswered {
    Late(Duration),
    Unreachable(std::io::Error),
    NoHost,
    Status(u16),
    NotHttp(ureq::Error),
}

impl Unanswered {
    fn new(why: ureq::Error, timeout: Duration) -> Self {
        match why {
            ureq::Error::Timeout(_) => Self::Late(timeout),
            ureq::Error::HostNotFound => Self::NoHost,
            ureq::Error::Io(why) => Self::Unreachable(why),
            why => Self::NotHttp(why),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(timeout) => write!(f, "did not answer within {timeout:?}"),
            Self::Unreachable(why) => write!(f, "can't be reached: {why}"),
            Self::NoHost => f.write_str("can't be reached: there is no such host"),
            Self::Status(status) => write!(
                f,
                "answered with status {status}, where 200, 429 or 503 is expected"
            ),
            Self::NotHttp(why) => write!(f, "does not answer as an HTTP server does: {why}"),
        }
    }
}
