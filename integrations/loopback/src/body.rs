//! [`Body`]: a body that is sent as it should be, or not.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};

use crate::Reset;

/// What is sent of a body whose end does not come.
const FIRST: &[u8] = b"<Response>";
/// How long it says that such a body is, in bytes.
const PROMISED: u64 = 1_000;

/// A body.
pub(crate) enum Body {
    /// Sent whole.
    Whole(Bytes),
    /// Begun; then the connection is closed.
    Cut(Bytes),
    /// Begun; then nothing more comes, and the connection stays open.
    Stalled(Bytes),
}

impl Body {
    pub(crate) fn whole(text: &'static str) -> Self {
        Self::Whole(Bytes::from_static(text.as_bytes()))
    }

    pub(crate) fn cut() -> Self {
        Self::Cut(Bytes::from_static(FIRST))
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
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        let this = self.get_mut();
        let (Self::Whole(left) | Self::Cut(left) | Self::Stalled(left)) = this;
        let data = std::mem::take(left);
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match this {
            Self::Whole(_) => Poll::Ready(None),
            Self::Cut(_) => Poll::Ready(Some(Err(Reset))),
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
            Self::Cut(_) | Self::Stalled(_) => SizeHint::with_exact(PROMISED),
        }
    }
}
