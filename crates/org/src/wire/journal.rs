//! The requests that were served, for whoever wants to know what a client really did.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use http::{Method, StatusCode};
use serde::Serialize;

/// Older requests are forgotten.
const KEPT: usize = 20_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    method: String,
    /// Without its query, in which a token might stand.
    path: String,
    /// None when the connection was dropped.
    status: Option<u16>,
    api_calls: u64,
}

impl Entry {
    pub(crate) fn new(method: &Method, path: &str, status: Option<StatusCode>, api_calls: u64) -> Self {
        let status = status.map(|status| status.as_u16());
        Self { method: method.to_string(), path: path.to_owned(), status, api_calls }
    }
}

/// The latest requests, in the order of their answers.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<VecDeque<Entry>>);

impl Journal {
    pub(crate) fn note(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
