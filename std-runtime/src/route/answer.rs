//! What an answer does to the queue of its request.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::Route;
use crate::advice::Advice;
use crate::headers::Headers;
use crate::rate::MAX_SPAN;
use crate::throttled::throttles;
use crate::wait::turn::Turn;

impl<R: ?Sized> Route<R> {
    /// Does what the route says after an answer, to the queue that `turn` is one of, and ends the call there. Nothing without a turn,
    /// which a request that is not limited has none of.
    pub fn answered(&self, turn: Option<Turn<'_>>, status: StatusCode, headers: &HeaderMap) {
        self.answered_with_body(turn, status, headers, &[]);
    }

    /// The same with the body, of an answer that is [told by it](crate::Throttled::is_told_by_body) whether it throttles: a 403 of GitHub.
    /// Of any other the body says nothing, and need not be read.
    pub fn answered_with_body(
        &self,
        turn: Option<Turn<'_>>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        let Some(turn) = turn else {
            return;
        };
        if let Some(cost) = &self.terms.charge {
            let permits = cost(status, headers);
            if permits > 0 {
                // Too many to be charged are none, as documented.
                let _ = turn.queue().charge(permits);
            }
        }
        let headers = Headers::new(headers, SystemTime::now()).with_body(body);
        let follow = self.terms.follow.as_ref();
        let advice = follow.map_or_else(Advice::default, |follow| follow.at(status, &headers));
        if !turn.is_adaptive() {
            advice.apply_rate(&turn.queue());
        }
        let hold = self.hold_of(status, &headers, advice);
        if self.refuses(status, &headers) {
            turn.throttled(hold);
            return;
        }
        if let Some(hold) = hold {
            // One that is too long can't be: it was cut.
            let _ = turn.queue().hold_for(hold);
        }
        turn.ok();
    }

    /// The longest of the holds that there could be, and none of no length.
    fn hold_of(
        &self,
        status: StatusCode,
        headers: &Headers<'_>,
        advice: Advice,
    ) -> Option<Duration> {
        let throttled = self.terms.hold.as_ref()?;
        let hold = throttled.at(status, headers).max(advice.hold)?;
        (!hold.is_zero()).then(|| hold.min(MAX_SPAN))
    }

    /// Whether the server refused the call for coming too often.
    fn refuses(&self, status: StatusCode, headers: &Headers<'_>) -> bool {
        let failed = status.is_client_error() || status.is_server_error();
        let asks_to_wait = || headers.retry_after().is_some();
        throttles(status, headers) || (self.terms.follow.is_some() && failed && asks_to_wait())
    }
}
