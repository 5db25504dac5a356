//! How far a source was read.

use jiff::Timestamp;

/// A place in the stream of one source.
///
/// The bytes mean something to the source alone: they are stored and given back, never compared or computed. A position
/// holds for one organisation, channel and transport only; anywhere else it is a gap, not a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The organisation or database that gave it.
    pub source: String,
    /// The channel.
    pub channel: String,
    /// How the channel was read.
    pub transport: Transport,
    /// What the source wants to be given to go on from here.
    pub bytes: Vec<u8>,
    /// When the change at this place was committed.
    pub committed: Timestamp,
}

/// How a channel is read. Each counts its positions in a way of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The Streaming API over long polling.
    CometD,
}

impl Transport {
    /// The name under which it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CometD => "cometd",
        }
    }

    /// The transport stored under this name.
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::CometD.name()).then_some(Self::CometD)
    }
}

impl Position {
    /// Whether the position may be given back to this channel of this organisation over this transport.
    pub fn holds_for(&self, source: &str, channel: &str, transport: Transport) -> bool {
        self.source == source && self.channel == channel && self.transport == transport
    }
}
