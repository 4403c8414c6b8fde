//! [`Body`]: a body that is sent as it should be, or not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::Sleep;

use crate::Reset;

/// What is sent of a body whose end does not come.
const FIRST: &[u8] = b"<Response>";
/// How long it says that such a body is, in bytes.
const PROMISED: u64 = 1_000;
/// How long after its beginning a body is cut: late enough that the head has left.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// A body.
pub(crate) enum Body {
    /// Sent whole.
    Whole(Bytes),
    /// Begun; then the connection is closed.
    Cut(Bytes, Pin<Box<Sleep>>),
    /// Begun; then nothing more comes, and the connection stays open.
    Stalled(Bytes),
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(bytes.into())
    }

    pub(crate) fn cut() -> Self {
        let end = tokio::time::sleep(CUT_AFTER);
        Self::Cut(Bytes::from_static(FIRST), Box::pin(end))
    }

    pub(crate) fn stalled() -> Self {
        Self::Stalled(Bytes::from_static(FIRST))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        let this = self.get_mut();
        let (Self::Whole(left) | Self::Cut(left, _) | Self::Stalled(left)) = this;
        let data = std::mem::take(left);
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match this {
            Self::Whole(_) => Poll::Ready(None),
            Self::Cut(_, end) => end.as_mut().poll(cx).map(|()| Some(Err(Reset))),
            // Nobody is woken: that is the point.
            Self::Stalled(_) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(left) if left.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(left) => SizeHint::with_exact(left.len() as u64),
            Self::Cut(..) | Self::Stalled(_) => SizeHint::with_exact(PROMISED),
        }
    }
}
