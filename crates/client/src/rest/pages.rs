//! Pages as a stream: the next one is asked for while the current one is consumed, and never more than that one.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;

use crate::Result;

/// One page of anything, and where the next is.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

type Pending<T> = Pin<Box<dyn Future<Output = Result<Page<T>>> + Send>>;

/// Where the page after the current one is.
enum Ahead<T> {
    Asked(Pending<T>),
    Here(Result<Page<T>>),
    None,
}

/// The items of all pages, in order. Ends after its first error.
pub(crate) struct Pages<T> {
    current: VecDeque<T>,
    ahead: Ahead<T>,
    fetch: Box<dyn Fn(String) -> Pending<T> + Send>,
}

impl<T: Unpin> Pages<T> {
    /// The first page is asked for with the first poll.
    pub(crate) fn new(first: Pending<T>, fetch: impl Fn(String) -> Pending<T> + Send + 'static) -> Self {
        Self { current: VecDeque::new(), ahead: Ahead::Asked(first), fetch: Box::new(fetch) }
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if let Ahead::Asked(pending) = &mut self.ahead
            && let Poll::Ready(page) = pending.as_mut().poll(cx)
        {
            self.ahead = Ahead::Here(page);
        }
    }
}

impl<T: Unpin> Stream for Pages<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.poll_ahead(cx);
            if let Some(item) = this.current.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            match std::mem::replace(&mut this.ahead, Ahead::None) {
                Ahead::None => return Poll::Ready(None),
                Ahead::Here(Err(error)) => return Poll::Ready(Some(Err(error))),
                Ahead::Here(Ok(page)) => {
                    this.current = page.items.into();
                    this.ahead = page.next.map_or(Ahead::None, |next| Ahead::Asked((this.fetch)(next)));
                }
                Ahead::Asked(pending) => {
                    this.ahead = Ahead::Asked(pending);
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{StreamExt as _, TryStreamExt as _};
    use proptest::prelude::*;

    use super::*;
    use crate::{Error, ErrorKind};

    /// The numbers below `total` in pages of `size`; the page at `broken` is an error.
    fn numbers(total: usize, size: usize, broken: Option<usize>, asked: Arc<AtomicUsize>) -> Pages<usize> {
        let fetch = move |from: String| -> Pending<usize> {
            asked.fetch_add(1, Ordering::Relaxed);
            let from: usize = from.parse().unwrap();
            let to = (from + size).min(total);
            Box::pin(async move {
                tokio::task::yield_now().await;
                if broken == Some(from / size) {
                    return Err(Error::new(ErrorKind::Connect, "broke"));
                }
                Ok(Page { items: (from..to).collect(), next: (to < total).then(|| to.to_string()) })
            })
        };
        Pages::new(fetch("0".into()), fetch)
    }

    #[tokio::test]
    async fn the_next_page_is_asked_for_early_and_only_that_one() {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut pages = numbers(10, 2, None, asked.clone());
        pages.next().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2, "the first item of page 1: page 2 is under way");
        pages.next().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        pages.next().await;
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn an_error_comes_after_the_items_before_it_and_ends_the_stream() {
        let mut pages = numbers(6, 2, Some(1), Arc::default());
        assert_eq!(pages.next().await.unwrap().unwrap(), 0);
        assert_eq!(pages.next().await.unwrap().unwrap(), 1);
        assert!(pages.next().await.unwrap().is_err());
        assert!(pages.next().await.is_none());
    }

    proptest! {
        #[test]
        fn any_page_size_gives_the_same_items(total in 0usize..60, size in 1usize..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let seen: Vec<usize> =
                runtime.block_on(numbers(total, size, None, Arc::default()).try_collect()).unwrap();
            prop_assert_eq!(seen, (0..total).collect::<Vec<_>>());
        }
    }
}
