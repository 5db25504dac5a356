//! Change events over CometD, as news.

use futures_util::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use tombolo_client::{ChangeEventHeader, Client, Replay, ReplayId, StreamItem, Subscribe};
use tombolo_engine::ChangeHeader;

use super::errors::{failed, is_session};
use crate::{
    Result,
    systems::{Entity, News},
};

pub(super) fn listen(client: &Client, entity: &Entity, after: Option<Vec<u8>>) -> BoxStream<'static, Result<News>> {
    let replay = match after.map(String::from_utf8) {
        Some(Ok(position)) => Replay::After(ReplayId::new(position)),
        // What is no text was no position of this transport; the engine refuses those before.
        Some(Err(_)) | None => Replay::New,
    };
    let subscription = client.subscribe(Subscribe::new(&entity.channel).from(replay));
    let object = entity.table.object.clone();
    subscription.filter_map(move |item| std::future::ready(news(&object, item))).boxed()
}

fn news(object: &str, item: tombolo_client::Result<StreamItem>) -> Option<Result<News>> {
    let news = match item {
        Ok(StreamItem::Opened { server_time }) => News::Opened(server_time),
        Ok(StreamItem::Event(message)) if message.header.entity_name == object => {
            let position = message.replay.as_bytes().to_vec();
            News::Change(header(message.header), position)
        }
        Ok(StreamItem::PositionLost { reason }) => News::PositionLost(reason),
        Ok(StreamItem::Reconnected) => News::Reconnected,
        Err(error) if error.is_retryable() => {
            return Some(Err(failed(format!("the stream of {object} was interrupted"), error)));
        }
        Err(error) if is_session(&error) => {
            return Some(Err(failed(format!("cannot follow the changes of {object}"), error)));
        }
        // The channel does not exist, the user may not read it, or the org has no room for another subscriber.
        Err(error) => News::Refused(error.to_string()),
        Ok(_) => return None,
    };
    Some(Ok(news))
}

fn header(header: ChangeEventHeader) -> ChangeHeader {
    ChangeHeader {
        entity: header.entity_name,
        record_ids: header.record_ids,
        change_type: header.change_type,
        changed_fields: header.changed_fields,
        origin: header.change_origin,
        transaction_key: header.transaction_key,
        sequence_number: header.sequence_number,
        committed: Timestamp::from_millisecond(header.commit_timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}
