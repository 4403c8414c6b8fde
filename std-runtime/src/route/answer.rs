//! What an answer does to the queue of its request.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::Route;
use crate::advice::Advice;
use crate::rate::MAX_SPAN;
use crate::throttled::throttles;
use crate::wait::turn::Turn;

impl<R: ?Sized> Route<R> {
    /// Does what the route says after an answer, to the queue that `turn` is one of, and ends the call there. Nothing without a turn,
    /// which a request that is not limited has none of.
    pub fn answered(&self, turn: Option<Turn<'_>>, status: StatusCode, headers: &HeaderMap) {
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
        let advice = self.advice(status, headers);
        if let Some(rate) = advice.rate
            && !turn.is_adaptive()
        {
            let rate = Some(rate);
            Advice { rate, hold: None }.apply(&turn.queue());
        }
        let hold = self.hold_of(status, headers, advice);
        if self.refuses(status, headers) {
            turn.throttled(hold);
            return;
        }
        if let Some(hold) = hold {
            // One that is too long can't be: it was cut.
            let _ = turn.queue().hold_for(hold);
        }
        turn.ok();
    }

    fn advice(&self, status: StatusCode, headers: &HeaderMap) -> Advice {
        let follow = self.terms.follow.as_ref();
        follow.map_or_else(Advice::default, |follow| follow.advice_of(status, headers))
    }

    /// The longest of the holds that there could be, and none of no length.
    fn hold_of(&self, status: StatusCode, headers: &HeaderMap, advice: Advice) -> Option<Duration> {
        let throttled = self.terms.hold.as_ref()?;
        let hold = throttled.hold_of(status, headers).max(advice.hold)?;
        (!hold.is_zero()).then(|| hold.min(MAX_SPAN))
    }

    /// Whether the server refused the call for coming too often.
    fn refuses(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let failed = status.is_client_error() || status.is_server_error();
        throttles(status)
            || (self.terms.follow.is_some() && failed && headers.contains_key(RETRY_AFTER))
    }
}
