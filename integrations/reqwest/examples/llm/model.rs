//! A client of a language model whose account has two limits, on requests and on tokens.

use std::error::Error;

use apiqueue::{ApiQueue, Closed, EnqueueError, Follow, Rate, Route, Throttled, Turn};
use reqwest::StatusCode;
use serde_json::{Value, json};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub(crate) struct Model {
    http: reqwest::Client,
    url: String,
    /// Whoever is first gets both permits before the next one gets any, so that neither is old when the call is made.
    first: ApiQueue,
    pub(crate) requests: ApiQueue,
    pub(crate) tokens: ApiQueue,
    route: Route<str>,
}

/// What the model said, and the tokens that it took.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) used: usize,
}

impl Model {
    /// `tokens` is the rate of tokens, its burst the largest call.
    pub(crate) fn new(url: String, requests: Rate, tokens: Rate) -> Result<Self> {
        let slowest = Rate::every(requests.interval().saturating_mul(100))?;
        let requests_queue = ApiQueue::builder()
            .rate(requests)
            .name("requests")
            .start()?;
        let follow = Follow::new(slowest, requests, Throttled::default())?;
        Ok(Self {
            http: reqwest::Client::new(),
            url,
            first: ApiQueue::builder().at_once(1).start()?,
            route: Route::to(requests_queue.clone()).follow(follow),
            requests: requests_queue,
            tokens: ApiQueue::builder().rate(tokens).name("tokens").start()?,
        })
    }

    /// Asks, once a request and as many tokens are there as the call may take. Dropped before it is sent, it has taken nothing.
    pub(crate) async fn ask(&self, prompt: &str, max_tokens: usize) -> Result<Answer> {
        // Four characters a token, say. The account is charged for what may come until it is known what has come.
        let estimate = prompt.len().div_ceil(4) + max_tokens;
        let (tokens, request) = self.reserve(estimate).await?;
        let body = json!({ "prompt": prompt, "max_tokens": max_tokens }).to_string();
        let sent = self.http.post(&self.url).body(body).send();
        // From here on the server may have counted it, whatever becomes of it.
        let turn = tokens.sent();
        let answer = sent.await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        self.route.answered(Some(request), status, &headers);
        if status == StatusCode::TOO_MANY_REQUESTS {
            turn.refund(estimate); // not made
            return Err("throttled".into());
        }
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let used = answer["usage"]["total_tokens"].as_u64().ok_or("no usage")?;
        let used = usize::try_from(used)?;
        match used.checked_sub(estimate) {
            Some(more) => turn.charge(more)?,
            None => turn.refund(estimate - used),
        }
        let text = answer["text"].as_str().unwrap_or_default().to_owned();
        Ok(Answer { text, used })
    }

    async fn reserve(
        &self,
        estimate: usize,
    ) -> std::result::Result<(Reserved<'_>, Turn<'_>), EnqueueError> {
        let closed = |Closed| EnqueueError::Closed;
        let _first = self.first.turn().await.map_err(closed)?;
        let tokens = Reserved(Some(self.tokens.turn_weighted(estimate).await?));
        let request = self.requests.turn().await.map_err(closed)?;
        Ok((tokens, request))
    }
}

/// Tokens of a call that was not sent yet: they come back if it is not.
struct Reserved<'q>(Option<Turn<'q>>);

impl<'q> Reserved<'q> {
    fn sent(mut self) -> Turn<'q> {
        self.0.take().expect("it is there until it is sent")
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            turn.give_back();
        }
    }
}
