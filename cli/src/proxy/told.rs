//! [`Told`]: what the queue hears of an answer, once it is known whether it throttles.

use apiqueue::{Route, Throttled, Turn};
use http::{HeaderMap, StatusCode};

use super::codes;

/// So much of an error's body is looked through, in bytes; those of AWS take less than a kilobyte.
const LOOKED_THROUGH: usize = 1 << 16;

/// An answer of which the queue has not heard yet. Dropped, it tells what its head says.
pub(super) struct Told {
    turn: Option<Turn<'static>>,
    status: StatusCode,
    headers: HeaderMap,
    is_of_aws: bool,
    read: Vec<u8>,
    heed: Route<String>,
}

impl Told {
    /// Tells the queue of an answer at once, or gives what tells it when the body has been read: of an error of AWS, whose code is in
    /// there, and of a 403 of which only the body says what it is for.
    pub(super) fn of(
        heed: &Route<String>,
        turn: Turn<'static>,
        status: StatusCode,
        headers: &HeaderMap,
        is_of_aws: bool,
    ) -> Option<Box<Self>> {
        let is_error = status.is_client_error() || status.is_server_error();
        let needs_body = (is_of_aws && is_error) || Throttled::is_told_by_body(status, headers);
        if !needs_body {
            heed.answered(Some(turn), status, headers);
            return None;
        }
        Some(Box::new(Self {
            turn: Some(turn),
            status,
            headers: headers.clone(),
            is_of_aws,
            read: Vec::new(),
            heed: heed.clone(),
        }))
    }

    pub(super) fn note(&mut self, data: &[u8]) {
        let room = LOOKED_THROUGH.saturating_sub(self.read.len());
        self.read.extend_from_slice(&data[..data.len().min(room)]);
    }

    /// An error of AWS whose code throttles counts as one of status 429.
    pub(super) fn has_ended(&mut self) {
        if self.is_of_aws {
            let kind = self.headers.get("x-amzn-errortype");
            let kind = kind.and_then(|value| value.to_str().ok());
            let body = String::from_utf8_lossy(&self.read);
            if codes::code(kind, &body).is_some_and(codes::throttles) {
                self.status = StatusCode::TOO_MANY_REQUESTS;
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        if let Some(turn) = self.turn.take() {
            let heed = &self.heed;
            heed.answered_with_body(Some(turn), self.status, &self.headers, &self.read);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.tell();
    }
}
