//! The TCP connections of the device that came up since the last collection.

use super::happenings::{Happenings, Noted};
use crate::flows::FlowKey;

/// A connection that came up. The device opens all of its connections itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenedConnection {
    /// When, Unix seconds.
    pub(crate) at_s: i64,
    /// Its ends.
    pub(crate) flow: FlowKey,
}

/// The record of them.
#[derive(Default)]
pub(crate) struct Connections(Happenings<OpenedConnection>);

impl Connections {
    /// A connection came up.
    pub(crate) fn opened(&mut self, flow: FlowKey, at_s: i64) {
        self.0.note(OpenedConnection { at_s, flow });
    }

    /// The connections since the last time.
    pub(crate) fn take(&mut self) -> Noted<OpenedConnection> {
        self.0.take()
    }
}
