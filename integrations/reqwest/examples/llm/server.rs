//! A server of a language model, on loopback, that counts requests and tokens as the real ones do: two buckets that fill all the time,
//! a call takes what it may need when it comes, and what it did not need comes back with its answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apiqueue_loopback::{Bytes, Loopback, Request, Response};
use http::response::Builder;
use serde_json::{Value, json};

/// How long an answer takes.
const TAKES: Duration = Duration::from_millis(20);

struct Bucket {
    size: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new((size, per_second): (u32, f64)) -> Self {
        let size = f64::from(size);
        Self {
            size,
            per_second,
            left: size,
            at: Instant::now(),
        }
    }

    fn fill(&mut self, now: Instant) {
        let more = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + more).min(self.size);
        self.at = now;
    }

    /// The headers of OpenAI: the limit, what is left of it, and when all is there again.
    fn tell(&self, of: &str, answer: Builder) -> Builder {
        let millis = (self.size - self.left) / self.per_second * 1e3;
        answer
            .header(
                format!("x-ratelimit-limit-{of}"),
                format!("{:.0}", self.size),
            )
            .header(
                format!("x-ratelimit-remaining-{of}"),
                format!("{:.0}", self.left.max(0.0).floor()),
            )
            .header(
                format!("x-ratelimit-reset-{of}"),
                format!("{}ms", millis.ceil()),
            )
    }
}

struct Account {
    requests: Bucket,
    tokens: Bucket,
    /// What comes back, and when.
    back: Vec<(Instant, f64)>,
    counts: Counts,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) answered: usize,
    pub(crate) throttled: usize,
    pub(crate) tokens: usize,
}

pub(crate) struct Server {
    pub(crate) loopback: Loopback,
    account: Arc<Mutex<Account>>,
}

impl Server {
    /// Buckets of a size, and so many a second.
    pub(crate) fn start(requests: (u32, f64), tokens: (u32, f64)) -> Self {
        let account = Arc::new(Mutex::new(Account {
            requests: Bucket::new(requests),
            tokens: Bucket::new(tokens),
            back: Vec::new(),
            counts: Counts::default(),
        }));
        let counted = Arc::clone(&account);
        let loopback = Loopback::answering(move |request| {
            Some(counted.lock().unwrap().answer(request, Instant::now()))
        });
        Self { loopback, account }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.account.lock().unwrap().counts
    }
}

impl Account {
    fn answer(&mut self, request: &Request<Bytes>, now: Instant) -> Response<Bytes> {
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        let prompt = asked["prompt"].as_str().unwrap();
        let max_tokens = asked["max_tokens"].as_u64().unwrap() as usize;
        // It has a tokenizer of its own: a token for a word and a half.
        let prompt_tokens = prompt.split(' ').count() * 3 / 2;
        // And says more or less of what it may say, as it likes.
        let used = prompt_tokens + max_tokens * (prompt.len() % 5) / 4;
        let most = (prompt_tokens + max_tokens) as f64;

        self.requests.fill(now);
        self.tokens.fill(now);
        self.back.retain(|&(at, tokens)| {
            if at <= now {
                self.tokens.left += tokens;
            }
            at > now
        });
        let is_let_in = self.requests.left >= 1.0 && self.tokens.left >= most;
        // A request that is throttled counts as a request.
        self.requests.left -= 1.0;
        let answer = Response::builder();
        if !is_let_in {
            self.counts.throttled += 1;
            let answer = answer.status(429).header("retry-after-ms", "50");
            return answer.body(Bytes::new()).unwrap();
        }
        self.tokens.left -= most;
        self.back.push((now + TAKES, most - used as f64));
        self.counts.answered += 1;
        self.counts.tokens += used;
        let answer = self.requests.tell("requests", answer);
        let answer = self.tokens.tell("tokens", answer);
        let answer = answer.header("x-after", TAKES.as_millis().to_string());
        let body = json!({ "text": "Quite so.", "usage": { "total_tokens": used } });
        answer.body(body.to_string().into()).unwrap()
    }
}
