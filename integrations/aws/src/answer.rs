//! [`Answer`]: what is told of an answer, once it is known whether it throttles.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apiqueue::{Route, Turn};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};

use crate::attempt::Attempt;
use crate::codes;

/// So much of an error's body is looked through for its code, in bytes; those of AWS take less than a kilobyte.
const LOOKED_THROUGH: usize = 1 << 16;

/// An answer of which the queue has not heard yet. Dropped, it tells what its head says.
pub(crate) struct Answer {
    route: Route<Attempt>,
    turn: Option<Turn<'static>>,
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    /// Tells of `response` as soon as its end is known: now; or of an error, whose code is in its body, when the SDK has read that.
    pub(crate) fn watch(response: &mut HttpResponse, route: Route<Attempt>, turn: Turn<'static>) {
        let status = response.status().as_u16();
        let answer = Self {
            route,
            turn: Some(turn),
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            headers: headers(response),
        };
        if answer.status.is_client_error() || answer.status.is_server_error() {
            let mut watched = Watched {
                body: response.take_body(),
                read: Vec::new(),
                answer: Some(answer),
            };
            if watched.body.is_end_stream() {
                watched.has_ended();
            }
            *response.body_mut() = SdkBody::from_body_1_x(watched);
        }
    }

    /// An error whose code throttles counts as one of status 429.
    fn has_body(mut self, body: &[u8]) {
        let error_type = self.headers.get("x-amzn-errortype");
        let error_type = error_type.and_then(|value| value.to_str().ok());
        if codes::code(error_type, &String::from_utf8_lossy(body)).is_some_and(codes::throttles) {
            self.status = StatusCode::TOO_MANY_REQUESTS;
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.route
            .answered(self.turn.take(), self.status, &self.headers);
    }
}

/// The body of an error, on its way to the SDK.
struct Watched {
    body: SdkBody,
    /// The first of it.
    read: Vec<u8>,
    /// Until the end has been seen.
    answer: Option<Answer>,
}

impl Watched {
    fn note(&mut self, data: &[u8]) {
        let room = LOOKED_THROUGH - self.read.len();
        self.read.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn has_ended(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer.has_body(&self.read);
        }
    }
}

impl Body for Watched {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.note(data);
        }
        // Some readers stop at the last frame, others behind it.
        if frame.is_none() || this.body.is_end_stream() {
            this.has_ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Those that can be read.
fn headers(response: &HttpResponse) -> HeaderMap {
    let headers = response.headers().iter();
    headers
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]
    use std::collections::VecDeque;
    use std::task::Waker;

    use apiqueue::{ApiQueue, Throttled};

    use super::*;

    /// Frames, and then an end or an error.
    struct Frames {
        left: VecDeque<&'static str>,
        breaks: bool,
    }

    impl Body for Frames {
        type Data = <SdkBody as Body>::Data;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            Poll::Ready(match self.left.pop_front() {
                Some(frame) => Some(Ok(Frame::data(frame.as_bytes().into()))),
                None if self.breaks => Some(Err(std::io::Error::other("closed mid-body"))),
                None => None,
            })
        }
    }

    /// Whether an adaptive queue heard of a refusal, before and after the body was read.
    fn refusal(status: u16, frames: &[&'static str], breaks: bool) -> (bool, bool) {
        let queue = apiqueue_loopback::answers::adaptive();
        let before = queue.rate().interval();
        let route = Route::to(queue.clone()).hold(Throttled::default());
        let turn = queue.enqueue().unwrap().wait().unwrap();
        let left = frames.iter().copied().collect();
        let body = SdkBody::from_body_1_x(Frames { left, breaks });
        let response = http::Response::builder().status(status).body(body).unwrap();
        let mut response = HttpResponse::try_from(response).unwrap();
        Answer::watch(&mut response, route, turn);
        let early = queue.rate().interval() > before;
        let mut body = response.take_body();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(&mut cx) {}
        drop(body);
        assert_eq!(queue.under_way(), 0);
        (early, queue.rate().interval() > before)
    }

    #[test]
    fn a_code_in_pieces_throttles_when_its_last_piece_has_come() {
        let pieces = ["<Error><Code>Throt", "tling</Co", "de></Error>"];
        assert_eq!(refusal(400, &pieces, false), (false, true));
        assert_eq!(refusal(400, &["<Code>Other</Code>"], false), (false, false));
        assert_eq!(refusal(400, &[], false), (false, false));
    }

    #[test]
    fn of_a_body_that_breaks_the_head_counts() {
        assert_eq!(refusal(503, &["<Code>Thr"], true), (false, true));
        assert_eq!(refusal(400, &["<Code>Thr"], true), (false, false));
    }

    #[test]
    fn a_success_is_told_at_its_head() {
        assert_eq!(
            refusal(200, &["<Code>Throttling</Code>"], false),
            (false, false)
        );
        let queue = ApiQueue::builder().at_once(1).start().unwrap();
        let turn = queue.enqueue().unwrap().wait().unwrap();
        let response = http::Response::new(SdkBody::from("a long body"));
        let mut response = HttpResponse::try_from(response).unwrap();
        Answer::watch(&mut response, Route::to(queue.clone()), turn);
        assert_eq!(queue.under_way(), 0);
    }

    #[test]
    fn an_error_without_end_is_not_kept() {
        let piece = "x".repeat(LOOKED_THROUGH / 2 + 1);
        let mut watched = Watched {
            body: SdkBody::empty(),
            read: Vec::new(),
            answer: None,
        };
        for _ in 0..3 {
            watched.note(piece.as_bytes());
        }
        assert_eq!(watched.read.len(), LOOKED_THROUGH);
    }
}
