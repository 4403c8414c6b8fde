//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The longest span that an option takes.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Forwards HTTP requests, each in its turn: a proxy for programs that nobody wants to change.
///
/// Set HTTP_PROXY to where it listens, and call http:// addresses: hosts of AWS, and those of --tls, are spoken to by TLS. For https://
/// addresses programs ask for a tunnel (CONNECT), of which only the connection can be paced.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["limits", "aws"]))]
pub(crate) struct Args {
    /// The limits: TOML, a table for each host, host and beginning of a path, or service/region/operation
    #[arg(long, value_name = "FILE")]
    pub(super) limits: Option<PathBuf>,
    /// The limits that AWS publishes, beneath those of --limits
    #[arg(long)]
    pub(super) aws: bool,
    /// Where it listens; port 0 for a free one, which is told on standard error
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    /// Listen on an address that others can reach, too: whoever reaches it can call anything through it
    #[arg(long)]
    pub(super) open_to_others: bool,
    /// Share the limits with all processes of this user that say the same name
    #[arg(long, value_name = "NAME")]
    pub(super) share: Option<String>,
    /// A host to speak to by TLS though the client says http://, or `*` and its end; may be said several times. Those of AWS always are
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(super) tls: Vec<String>,
    /// The longest wait for a turn, 1ms to 1h: less than the client's own timeout. What would take longer is answered with 503 and
    /// Retry-After
    #[arg(long, value_name = "TIME", default_value = "50s", value_parser = span)]
    pub(super) max_wait: Duration,
    /// How long a client may take to send a head, and be idle, 1ms to 1h
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span)]
    pub(super) head_timeout: Duration,
    /// For how long a client's body may stand still, 1ms to 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span)]
    pub(super) body_timeout: Duration,
    /// How many clients may be connected, 1 to 65536
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) connections: u32,
}

fn span(text: &str) -> Result<Duration, String> {
    let span =
        humantime::parse_duration(text).map_err(|why| format!("{why}; such as 500ms or 20s"))?;
    if span < Duration::from_millis(1) || span > LONGEST {
        return Err(format!("{span:?} is not in 1ms..=1h"));
    }
    Ok(span)
}

/// A name, or a star and the end of one.
fn host(text: &str) -> Result<String, String> {
    let name = text.strip_prefix('*').unwrap_or(text);
    let is_fit = !name.is_empty()
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._[:]".contains(&byte));
    if !is_fit {
        return Err("not a host, nor a * and the end of one".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}
