//! Change events over CometD, as a source.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use tokio::time::sleep;
use tombolo_client::{ChangeMessage, Replay, ReplayId, StreamItem, Subscribe};
use tombolo_engine::sync::{Delivery, News, NewsKind, SourceId, SourceState};

use super::{Shared, news::Heard, object::channel};
use crate::{
    Error, Result,
    systems::{salesforce::errors::failed, system::Told},
};

/// Events that are told together, if they are there together.
const AT_ONCE: usize = 200;
/// Stands before a position, so that one of another transport is not taken for one of this.
const TRANSPORT: &str = "cometd:";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

type Item = tombolo_client::Result<StreamItem>;

/// Ends behind an error that is not retryable: the channel does not exist, the login is refused.
pub(super) fn listen(shared: Arc<Shared>, source: SourceId, from: &SourceState) -> BoxStream<'static, Result<Told>> {
    let (replay, lost) = begin(from);
    let subscription = shared.client.subscribe(Subscribe::new(channel(&source.channel)).from(replay));
    let told = subscription.ready_chunks(AT_ONCE).then(move |items| {
        let (shared, source) = (shared.clone(), source.clone());
        async move { tell(&shared, &source, items).await }
    });
    stream::iter(lost.map(|reason| Ok(Told::Lost(reason)))).chain(told.flat_map(stream::iter)).boxed()
}

/// Where to begin, and why that leaves something out.
fn begin(from: &SourceState) -> (Replay, Option<String>) {
    let Some(position) = &from.position else {
        // Over CometD a quiet channel has no position.
        let lost =
            from.opened.map(|at| format!("no event had come since {at}, so there was no position to go on from"));
        return (Replay::New, lost);
    };
    let replay = std::str::from_utf8(position).ok().and_then(|text| text.strip_prefix(TRANSPORT));
    match replay {
        Some(replay) => (Replay::After(ReplayId::new(replay)), None),
        None => (Replay::New, Some("the position is of another transport".to_owned())),
    }
}

async fn tell(shared: &Shared, source: &SourceId, items: Vec<Item>) -> Vec<Result<Told>> {
    let heard = shared.heard(&source.channel);
    let mut told = Vec::new();
    let mut events = Vec::new();
    for item in items {
        if let Ok(StreamItem::Event(message)) = item {
            shared.delivered.fetch_add(1, Ordering::Relaxed);
            events.push(message);
            continue;
        }
        told.extend(deliver(shared, source, heard.as_ref(), std::mem::take(&mut events)).await);
        told.extend(news_of_stream(source, item));
    }
    told.extend(deliver(shared, source, heard.as_ref(), events).await);
    told
}

/// What a stream tells beside events.
fn news_of_stream(source: &SourceId, item: Item) -> Option<Result<Told>> {
    Some(match item {
        Ok(StreamItem::Opened { server_time }) => Ok(Told::Opened(server_time)),
        Ok(StreamItem::PositionLost { reason }) => Ok(Told::Lost(reason)),
        Ok(_) => return None,
        Err(error) => Err(failed(format!("the stream of {} was interrupted", source.channel), error)),
    })
}

async fn deliver(
    shared: &Shared,
    source: &SourceId,
    heard: Option<&Heard>,
    events: Vec<ChangeMessage>,
) -> Option<Result<Told>> {
    let last = events.last()?;
    let position = format!("{TRANSPORT}{}", last.replay).into_bytes();
    let committed = Timestamp::from_millisecond(last.header.commit_timestamp).ok();
    let Some(heard) = heard else {
        return Some(Err(Error::failed(format!("{} is not mapped any more", source.channel))));
    };
    let of_entity = |event: &&ChangeMessage| event.header.entity_name.eq_ignore_ascii_case(&heard.object.name);
    let mut news: Vec<News> = events.iter().filter(of_entity).flat_map(|event| heard.news(event)).collect();
    join_merged(shared, heard, &mut news).await;
    Some(Ok(Told::Heard(Delivery { source: source.clone(), news, position: Some(position), committed })))
}

/// An event of a delete does not say that the record was merged into another one: the recycle bin does.
async fn join_merged(shared: &Shared, heard: &Heard, news: &mut [News]) {
    let is_delete = |news: &&News| matches!(news.kind, NewsKind::Delete { .. });
    let deleted: Vec<String> = news.iter().filter(is_delete).filter_map(|news| news.key.clone()).collect();
    if deleted.is_empty() || !heard.object.has("MasterRecordId") {
        return;
    }
    let mut pause = FIRST_PAUSE;
    let masters = loop {
        match shared.masters(&heard.object, &deleted).await {
            Ok(masters) => break masters,
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, entity = heard.entity, "cannot ask what deleted records were merged into");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::warn!(%error, entity = heard.entity, "deletes by merging are taken for plain deletes");
                return;
            }
        }
    };
    for news in news {
        if let (NewsKind::Delete { merged_into }, Some(key)) = (&mut news.kind, &news.key) {
            *merged_into = masters.get(key).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_source_goes_on() {
        let opened = Some("2026-11-22T01:02:03Z".parse().unwrap());
        let state = |position: Option<&str>, opened| SourceState {
            position: position.map(|text| text.as_bytes().to_vec()),
            opened,
            committed: None,
        };
        for (state, replay, lost) in [
            (state(None, None), Replay::New, None),
            (state(None, opened), Replay::New, Some("no event had come since 2026-11-22T01:02:03Z")),
            (state(Some("cometd:42"), opened), Replay::After(ReplayId::new("42")), None),
            (state(Some("pubsub:42"), opened), Replay::New, Some("another transport")),
        ] {
            let (begins, because) = begin(&state);
            assert_eq!(begins, replay, "{state:?}");
            assert_eq!(because.is_some(), lost.is_some(), "{state:?}");
            assert!(because.unwrap_or_default().contains(lost.unwrap_or_default()), "{state:?}");
        }
    }
}
