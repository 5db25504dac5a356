//! The subscriber as a state machine: what came in leads to what is to be done. No network, no clock.
//!
//! ```text
//!              ┌──────────── trouble: pause, handshake ────────────┐
//! Start ─▶ Handshaking ─▶ Connecting ─▶ Subscribing ─▶ Live ─┐─────┤
//!              ▲  ▲                        ▲    │       ▲──┘      │
//!              │  └── LoggingIn ◀── 401    └────┘ position lost   │
//!              └───────────────────────────────────────────────────┘
//! ```
//!
//! There are no acknowledgements in this protocol: events of an answer that was lost count as delivered. So after
//! every broken exchange the session is given up, and a new one subscribes after the last event that was queued.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Replay, StreamItem,
    bayeux::Message,
    trouble::{self, Remedy},
};
use crate::{Error, ErrorKind, Result, RetryPolicy, request::bayeux::Say, stack::Backoff};

/// How long a connect is held unless the server says otherwise (streaming.md 1.4).
const HOLD: Duration = Duration::from_secs(110);
/// What a held connect may take longer than that: a connection that is silent for more is dead.
const MARGIN: Duration = Duration::from_secs(20);
/// What everything else may take.
const PROMPT: Duration = Duration::from_secs(60);
/// Later than 40 seconds after an answer the server forgets the client.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// Logins without a subscription in between, after which the session is plainly not accepted here.
const MOST_LOGINS: u32 = 2;

/// Where the subscriber is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// There is no session: a handshake is due or under way.
    Handshaking,
    /// The first connect, which is answered at once.
    Connecting { client_id: String },
    /// The channel is being subscribed to.
    Subscribing { client_id: String },
    /// Events come.
    Live { client_id: String },
    /// The server did not accept the session's token: another is being fetched.
    LoggingIn,
    /// It is over. A session that is still open is to be left.
    Closed { client_id: Option<String> },
}

/// What came in.
#[derive(Debug, Clone)]
pub(super) enum Input {
    Start,
    Answer { messages: Vec<Message>, server_time: Timestamp },
    Failed(Error),
    LoggedIn,
}

/// What is to be done. A list ends with `Send`, `LogIn` or `Stop`, and the outcome of that is the next input.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "events are the rule, and few actions exist at a time")]
pub(super) enum Action {
    Give(Result<StreamItem>),
    Pause(Duration),
    ForgetCookies,
    Send { say: Say, within: Duration },
    LogIn,
    Stop,
}

pub(super) struct Machine {
    state: State,
    channel: String,
    /// Where the next subscription begins.
    position: Replay,
    /// Whether the caller was told that the stream is open.
    opened: bool,
    failures: u32,
    logins: u32,
    hold: Duration,
    interval: Duration,
    backoff: Backoff,
    busy: Backoff,
}

impl Machine {
    pub(super) fn new(channel: String, position: Replay, backoff: Backoff) -> Self {
        let busy = RetryPolicy::default().delays(Duration::from_secs(5), Duration::from_secs(180));
        Self {
            state: State::Handshaking,
            channel,
            position,
            opened: false,
            failures: 0,
            logins: 0,
            hold: HOLD,
            interval: Duration::ZERO,
            backoff,
            busy: Backoff::new(&busy),
        }
    }

    /// The client id of the session, to take leave with.
    pub(super) fn client_id(&self) -> Option<&str> {
        match &self.state {
            State::Connecting { client_id } | State::Subscribing { client_id } | State::Live { client_id } => {
                Some(client_id)
            }
            State::Closed { client_id } => client_id.as_deref(),
            State::Handshaking | State::LoggingIn => None,
        }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Start | Input::LoggedIn => self.handshake(&mut actions),
            Input::Failed(error) => self.failed(error, &mut actions),
            Input::Answer { messages, server_time } => self.answered(&messages, server_time, &mut actions),
        }
        actions
    }

    fn answered(&mut self, messages: &[Message], server_time: Timestamp, actions: &mut Vec<Action>) {
        let reply = |channel: &str| messages.iter().find(|message| message.channel == channel);
        match self.state.clone() {
            State::Handshaking => self.shaken(reply("/meta/handshake"), actions),
            State::Connecting { client_id } => {
                self.deliver(messages, actions);
                if self.accepted(reply("/meta/connect"), actions) {
                    self.subscribe(client_id, actions);
                }
            }
            State::Subscribing { client_id } => {
                if self.accepted(reply("/meta/subscribe"), actions) {
                    self.open(server_time, actions);
                    self.deliver(messages, actions);
                    self.connect(State::Live { client_id }, actions);
                }
            }
            State::Live { client_id } => {
                self.deliver(messages, actions);
                if self.accepted(reply("/meta/connect"), actions) {
                    self.failures = 0;
                    self.connect(State::Live { client_id }, actions);
                }
            }
            State::LoggingIn | State::Closed { .. } => actions.push(Action::Stop),
        }
    }

    fn handshake(&mut self, actions: &mut Vec<Action>) {
        // The answer brings no advice: what was said to an earlier session does not hold any more.
        (self.hold, self.interval) = (HOLD, Duration::ZERO);
        self.state = State::Handshaking;
        actions.push(Action::ForgetCookies);
        actions.push(Action::Send { say: Say::Handshake, within: PROMPT });
    }

    fn shaken(&mut self, reply: Option<&Message>, actions: &mut Vec<Action>) {
        if !self.accepted(reply, actions) {
            return;
        }
        match reply.and_then(|reply| reply.client_id.clone()) {
            Some(client_id) => self.connect(State::Connecting { client_id }, actions),
            None => self.refused("the handshake was answered without a client id", Remedy::Later, actions),
        }
    }

    fn connect(&mut self, state: State, actions: &mut Vec<Action>) {
        self.state = state;
        let Some(client_id) = self.client_id().map(str::to_owned) else { return };
        if !self.interval.is_zero() {
            actions.push(Action::Pause(self.interval));
        }
        actions.push(Action::Send { say: Say::Connect { client_id }, within: self.hold + MARGIN });
    }

    fn subscribe(&mut self, client_id: String, actions: &mut Vec<Action>) {
        self.state = State::Subscribing { client_id: client_id.clone() };
        let say = Say::Subscribe { client_id, channel: self.channel.clone(), replay: self.position.clone() };
        actions.push(Action::Send { say, within: PROMPT });
    }

    fn open(&mut self, server_time: Timestamp, actions: &mut Vec<Action>) {
        self.logins = 0;
        let item = if self.opened { StreamItem::Reconnected } else { StreamItem::Opened { server_time } };
        self.opened = true;
        actions.push(Action::Give(Ok(item)));
    }

    fn deliver(&mut self, messages: &[Message], actions: &mut Vec<Action>) {
        for event in messages.iter().filter_map(Message::event) {
            let last = match &self.position {
                Replay::After(id) => Some(id),
                Replay::New | Replay::All => None,
            };
            // An event without a position (seen in the field) is handed over under the last one.
            let Some(replay) = event.replay.as_ref().or(last).cloned() else {
                let error = Error::new(ErrorKind::Unavailable, "an event came without a position and was left out");
                actions.push(Action::Give(Err(error)));
                continue;
            };
            self.position = Replay::After(replay.clone());
            actions.push(Action::Give(Ok(StreamItem::Event(event.at(replay)))));
        }
    }

    /// Whether the reply is there and is a success that lets the session go on. If not, what helps is done.
    fn accepted(&mut self, reply: Option<&Message>, actions: &mut Vec<Action>) -> bool {
        let Some(reply) = reply else {
            // An unsolicited /meta/disconnect, or an answer that was cut.
            self.refused("the server ended the session", Remedy::Handshake, actions);
            return false;
        };
        let advice = reply.advice.clone().unwrap_or_default();
        let reconnect = advice.reconnect.as_deref();
        if let Some(hold) = advice.timeout.filter(|ms| *ms > 0) {
            self.hold = Duration::from_millis(hold);
        }
        if let Some(interval) = advice.interval {
            self.interval = Duration::from_millis(interval).min(LONGEST_INTERVAL);
        }
        if reply.successful == Some(true) {
            let goes_on = matches!(reconnect, None | Some("retry")) || reply.channel == "/meta/handshake";
            if !goes_on {
                self.refused("the server asks for a new handshake", Remedy::Handshake, actions);
            }
            return goes_on;
        }
        match reply.reason() {
            Some(reason) => self.refused(reason, trouble::remedy(reason, reconnect), actions),
            None if reconnect == Some("none") => self.refused("401::refused without a reason", Remedy::Login, actions),
            None => self.refused("refused without a reason", Remedy::Handshake, actions),
        }
        false
    }

    fn refused(&mut self, reason: &str, remedy: Remedy, actions: &mut Vec<Action>) {
        let error = trouble::error(reason, remedy);
        match remedy {
            Remedy::Handshake => self.begin_again(error, reason, false, actions),
            Remedy::Later => self.begin_again(error, reason, true, actions),
            Remedy::Login if self.logins < MOST_LOGINS => {
                self.logins += 1;
                actions.push(Action::Give(Err(error.with_kind(ErrorKind::Connect))));
                self.lose(reason, actions);
                self.state = State::LoggingIn;
                actions.push(Action::LogIn);
            }
            Remedy::NewPosition if self.position != Replay::New => self.reposition(reason, actions),
            Remedy::Login | Remedy::NewPosition | Remedy::None => {
                let kind = if remedy == Remedy::NewPosition { ErrorKind::Api } else { error.kind() };
                self.stop(error.with_kind(kind), actions);
            }
        }
    }

    /// The caller hears of the loss before anything else comes, and again of the moment from which all is there.
    fn reposition(&mut self, reason: &str, actions: &mut Vec<Action>) {
        self.position = Replay::New;
        self.opened = false;
        actions.push(Action::Give(Ok(StreamItem::PositionLost { reason: reason.to_owned() })));
        match self.client_id().map(str::to_owned) {
            Some(client_id) => self.subscribe(client_id, actions),
            None => self.handshake(actions),
        }
    }

    fn failed(&mut self, error: Error, actions: &mut Vec<Action>) {
        if error.is_retryable() {
            let reason = error.to_string();
            self.begin_again(error, &reason, false, actions);
        } else {
            self.stop(error, actions);
        }
    }

    fn begin_again(&mut self, error: Error, reason: &str, busy: bool, actions: &mut Vec<Action>) {
        self.failures = self.failures.saturating_add(1);
        let backoff = if busy { &self.busy } else { &self.backoff };
        let pause = backoff.delay(self.failures);
        actions.push(Action::Give(Err(error)));
        self.lose(reason, actions);
        actions.push(Action::Pause(pause));
        self.handshake(actions);
    }

    /// A stream that was open but quiet has no position: what happens until the next subscription is missed.
    fn lose(&mut self, reason: &str, actions: &mut Vec<Action>) {
        if self.opened && self.position == Replay::New {
            self.opened = false;
            let reason = format!("the stream was lost before its first event: {reason}");
            actions.push(Action::Give(Ok(StreamItem::PositionLost { reason })));
        }
    }

    fn stop(&mut self, error: Error, actions: &mut Vec<Action>) {
        self.state = State::Closed { client_id: self.client_id().map(str::to_owned) };
        actions.push(Action::Give(Err(error)));
        actions.push(Action::Stop);
    }
}

#[cfg(test)]
mod tests;
