//! The transitions, as scripts: what the server says on the left, what the subscriber does on the right.

use super::*;
use crate::{ReplayId, events::bayeux};

const T: &str = "2026-11-22T10:00:00Z";
const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","clientId":"c1","successful":true,"ext":{"replay":true}}]"#;
const FIRST_CONNECT: &str =
    r#"[{"channel":"/meta/connect","successful":true,"advice":{"interval":0,"timeout":110000,"reconnect":"retry"}}]"#;
const SUBSCRIBED: &str = r#"[{"channel":"/meta/subscribe","successful":true,"subscription":"/data/X"}]"#;
const QUIET: &str = r#"[{"channel":"/meta/connect","successful":true}]"#;
const EVENT_7: &str = r#"[{"channel":"/data/X","data":{"event":{"replayId":7},"payload":{}}},{"channel":"/meta/connect","successful":true}]"#;
const UNKNOWN: &str = r#"[{"channel":"/meta/connect","successful":false,"error":"403::Unknown client","advice":{"interval":0,"reconnect":"handshake"}}]"#;
const UNKNOWN_NONE: &str = r#"[{"channel":"/meta/disconnect"},{"channel":"/meta/connect","clientId":"c1","successful":false,"error":"403::Unknown client","advice":{"reconnect":"none","interval":0}}]"#;
const EXPIRED: &str = r#"[{"channel":"/meta/disconnect"},{"channel":"/meta/connect","successful":false,"error":"401::Authentication invalid","advice":{"reconnect":"none"}}]"#;
const BUSY: &str = r#"{"channel":"/meta/connect","error":"401::Authentication invalid","successful":false,"ext":{"sfdc":{"failureReason":"503::Server is too busy.  Please try your request again later."}},"advice":{"reconnect":"none","interval":0}}"#;
const DENIED: &str = r#"{"channel":"/meta/handshake","error":"403::Handshake denied","successful":false,"ext":{"sfdc":{"failureReason":"401::Authentication invalid"}},"advice":{"reconnect":"none"}}"#;
const GONE: &str = r#"{"channel":"/meta/subscribe","subscription":"/data/X","successful":false,"error":"400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."}"#;
const NO_CHANNEL: &str = r#"{"channel":"/meta/subscribe","successful":false,"error":"400::The channel you requested to subscribe to doesn't exist {/data/X}"}"#;

fn machine(position: Replay) -> Machine {
    Machine::new("/data/X".into(), position, Backoff::new(&RetryPolicy::default().seed(1)))
}

fn after(id: &str) -> Replay {
    Replay::After(ReplayId::new(id))
}

fn answer(body: &str) -> Input {
    let messages = bayeux::read(body.as_bytes()).unwrap_or_else(|| panic!("no Bayeux: {body}"));
    Input::Answer { messages, server_time: T.parse().unwrap() }
}

fn broke() -> Input {
    Input::Failed(Error::new(ErrorKind::Connect, "the connection broke"))
}

/// One word an action.
fn show(actions: Vec<Action>) -> String {
    let word = |action: &Action| match action {
        Action::Give(Ok(StreamItem::Opened { .. })) => "opened".into(),
        Action::Give(Ok(StreamItem::Event(event))) => format!("event {}", event.replay),
        Action::Give(Ok(StreamItem::PositionLost { .. })) => "lost".into(),
        Action::Give(Ok(StreamItem::Reconnected)) => "reconnected".into(),
        Action::Give(Err(error)) => format!("error {}", error.kind()),
        Action::Pause(_) => "pause".into(),
        Action::ForgetCookies => "forget".into(),
        Action::Send { say: Say::Handshake, .. } => "handshake".into(),
        Action::Send { say: Say::Connect { client_id }, .. } => format!("connect {client_id}"),
        Action::Send { say: Say::Subscribe { replay: Replay::New, .. }, .. } => "subscribe new".into(),
        Action::Send { say: Say::Subscribe { replay: Replay::All, .. }, .. } => "subscribe all".into(),
        Action::Send { say: Say::Subscribe { replay: Replay::After(id), .. }, .. } => format!("subscribe {id}"),
        Action::Send { say: Say::Disconnect { .. }, .. } => "disconnect".into(),
        Action::LogIn => "login".into(),
        Action::Stop => "stop".into(),
    };
    actions.iter().map(word).collect::<Vec<String>>().join(", ")
}

fn check(position: Replay, script: Vec<(Input, &str)>) {
    let mut machine = machine(position);
    let mut path = String::new();
    for (input, expect) in script {
        let seen = show(machine.step(input));
        path = format!("{path}\n  {seen}");
        assert_eq!(seen, expect, "on the way:{path}");
    }
}

/// The way to an open stream, followed by what is to be checked.
fn opened(position: Replay, rest: Vec<(Input, &str)>) {
    let subscribe = match &position {
        Replay::New => "subscribe new".to_owned(),
        Replay::All => "subscribe all".to_owned(),
        Replay::After(id) => format!("subscribe {id}"),
    };
    let mut script = vec![
        (Input::Start, "forget, handshake"),
        (answer(HANDSHAKE), "connect c1"),
        (answer(FIRST_CONNECT), subscribe.as_str()),
        (answer(SUBSCRIBED), "opened, connect c1"),
    ];
    script.extend(rest);
    check(position, script);
}

/// The way back after trouble.
fn again<'a>(subscribe: &'a str, news: &'a str) -> Vec<(Input, &'a str)> {
    vec![(answer(HANDSHAKE), "connect c1"), (answer(FIRST_CONNECT), subscribe), (answer(SUBSCRIBED), news)]
}

fn then<'a>(first: Vec<(Input, &'a str)>, rest: Vec<(Input, &'a str)>) -> Vec<(Input, &'a str)> {
    first.into_iter().chain(rest).collect()
}

#[test]
fn events_come() {
    opened(
        Replay::New,
        vec![(answer(QUIET), "connect c1"), (answer(EVENT_7), "event 7, connect c1"), (answer(QUIET), "connect c1")],
    );
}

#[test]
fn a_forgotten_client_subscribes_after_the_last_event() {
    for forgotten in [UNKNOWN, UNKNOWN_NONE, r#"[{"channel":"/meta/disconnect"}]"#] {
        opened(
            Replay::New,
            then(
                vec![
                    (answer(EVENT_7), "event 7, connect c1"),
                    (answer(forgotten), "error connect, pause, forget, handshake"),
                ],
                again("subscribe 7", "reconnected, connect c1"),
            ),
        );
    }
}

#[test]
fn a_broken_poll_is_a_lost_answer_and_a_new_session() {
    opened(
        after("5"),
        then(
            vec![(broke(), "error connect, pause, forget, handshake")],
            again("subscribe 5", "reconnected, connect c1"),
        ),
    );
}

#[test]
fn a_quiet_stream_that_was_lost_has_no_position() {
    opened(
        Replay::New,
        then(
            vec![(broke(), "error connect, lost, pause, forget, handshake")],
            then(
                again("subscribe new", "opened, connect c1"),
                vec![(answer(UNKNOWN), "error connect, lost, pause, forget, handshake")],
            ),
        ),
    );
    opened(
        Replay::All,
        then(
            vec![(broke(), "error connect, pause, forget, handshake")],
            again("subscribe all", "reconnected, connect c1"),
        ),
    );
}

#[test]
fn an_expired_position_is_told_and_never_jumped_over() {
    check(
        after("82"),
        vec![
            (Input::Start, "forget, handshake"),
            (answer(HANDSHAKE), "connect c1"),
            (answer(FIRST_CONNECT), "subscribe 82"),
            (answer(GONE), "lost, subscribe new"),
            (answer(SUBSCRIBED), "opened, connect c1"),
        ],
    );
    check(
        Replay::New,
        vec![
            (Input::Start, "forget, handshake"),
            (answer(HANDSHAKE), "connect c1"),
            (answer(FIRST_CONNECT), "subscribe new"),
            (answer(GONE), "error api, stop"),
        ],
    );
}

#[test]
fn an_expired_session_is_renewed() {
    opened(
        after("5"),
        then(
            vec![(answer(EXPIRED), "error connect, login"), (Input::LoggedIn, "forget, handshake")],
            again("subscribe 5", "reconnected, connect c1"),
        ),
    );
}

#[test]
fn a_session_that_is_never_accepted_ends_the_stream() {
    check(
        Replay::New,
        vec![
            (Input::Start, "forget, handshake"),
            (answer(DENIED), "error connect, login"),
            (Input::LoggedIn, "forget, handshake"),
            (answer(DENIED), "error connect, login"),
            (Input::LoggedIn, "forget, handshake"),
            (answer(DENIED), "error session_expired, stop"),
        ],
    );
    let refused = Input::Failed(Error::new(ErrorKind::Login, "refused"));
    opened(after("5"), vec![(answer(EXPIRED), "error connect, login"), (refused, "error login, stop")]);
}

#[test]
fn a_busy_server_is_left_alone_for_a_while() {
    let mut machine = machine(after("5"));
    for input in [Input::Start, answer(HANDSHAKE), answer(FIRST_CONNECT), answer(SUBSCRIBED)] {
        machine.step(input);
    }
    let actions = machine.step(answer(BUSY));
    assert!(matches!(actions[1], Action::Pause(pause) if pause >= Duration::from_millis(2500)), "{actions:?}");
    assert_eq!(show(actions), "error unavailable, pause, forget, handshake");
}

#[test]
fn what_no_repetition_helps_ends_the_stream() {
    check(
        Replay::New,
        vec![
            (Input::Start, "forget, handshake"),
            (answer(HANDSHAKE), "connect c1"),
            (answer(FIRST_CONNECT), "subscribe new"),
            (answer(NO_CHANNEL), "error not_found, stop"),
        ],
    );
}

#[test]
fn advice_is_followed() {
    let crowd = r#"{"channel":"/meta/connect","successful":true,"advice":{"interval":2000,"multiple-clients":true,"reconnect":"retry","timeout":5000}}"#;
    let mut machine = machine(Replay::New);
    for input in [Input::Start, answer(HANDSHAKE), answer(FIRST_CONNECT), answer(SUBSCRIBED)] {
        machine.step(input);
    }
    let actions = machine.step(answer(crowd));
    assert!(matches!(actions[0], Action::Pause(pause) if pause == Duration::from_secs(2)));
    assert!(matches!(actions[1], Action::Send { within, .. } if within == Duration::from_secs(5) + MARGIN));
    let new_handshake = r#"{"channel":"/meta/connect","successful":true,"advice":{"reconnect":"handshake"}}"#;
    assert_eq!(show(machine.step(answer(new_handshake))), "error connect, lost, pause, forget, handshake");
    // What was advised to the old session does not hold for the new one.
    let actions = machine.step(answer(HANDSHAKE));
    assert!(matches!(actions[0], Action::Send { within, .. } if within == HOLD + MARGIN));
}

#[test]
fn trouble_again_and_again_is_met_more_and_more_slowly() {
    let mut machine = machine(after("1"));
    machine.step(Input::Start);
    let pauses: Vec<Duration> = (0..12)
        .map(|_| match &machine.step(broke())[..] {
            [_, Action::Pause(pause), ..] => *pause,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(pauses[0] <= Duration::from_millis(500));
    assert!(pauses[11] >= Duration::from_secs(15), "{pauses:?}");
}

#[test]
fn events_that_ride_with_other_answers_are_not_lost() {
    let with_subscribe = r#"[{"channel":"/data/X","data":{"event":{"replayId":9},"payload":{}}},{"channel":"/meta/subscribe","successful":true}]"#;
    let cut = r#"[{"channel":"/data/X","data":{"event":{"replayId":10},"payload":{}}}]"#;
    check(
        after("8"),
        vec![
            (Input::Start, "forget, handshake"),
            (answer(HANDSHAKE), "connect c1"),
            (answer(FIRST_CONNECT), "subscribe 8"),
            (answer(with_subscribe), "opened, event 9, connect c1"),
            (answer(cut), "event 10, error connect, pause, forget, handshake"),
        ],
    );
}

#[test]
fn no_state_gets_stuck() {
    let inputs: [fn() -> Input; 9] = [
        || answer(HANDSHAKE),
        || answer(FIRST_CONNECT),
        || answer(SUBSCRIBED),
        || answer(EVENT_7),
        || answer(UNKNOWN),
        || answer(EXPIRED),
        || answer(BUSY),
        || answer(GONE),
        broke,
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..300 {
        let mut machine = machine(Replay::New);
        let mut actions = machine.step(Input::Start);
        for _ in 0..30 {
            match actions.last() {
                Some(Action::Stop) => break,
                Some(Action::LogIn) => actions = machine.step(Input::LoggedIn),
                Some(Action::Send { .. }) => actions = machine.step(inputs[random.usize(..inputs.len())]()),
                other => panic!("a list that leads nowhere ends with {other:?}"),
            }
        }
    }
}
