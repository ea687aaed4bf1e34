//! The thread that follows the store for all streams.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use countersign_admin::audit::FollowAudit;
use countersign_admin::events::{Event, SeeEvents};
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom, run};
use countersign_core::store::{AuditQuery, GateStore as _, StoreMark};
use countersign_store::AnyStore;

use super::seen::{News, Seen};
use super::{Stream, StreamQueue};
use crate::problem::Problem;
use crate::who::now;

/// Follows a store until nobody is to open a stream any more.
pub(super) fn follow(store: AnyStore, queue: &StreamQueue) {
    let mut follower = Follower {
        store,
        streams: Vec::new(),
        seen: None,
        mark: None,
        is_more: false,
        judged: Instant::now(),
        looked: Instant::now(),
        pause: Duration::ZERO,
        last_beat: Instant::now(),
    };
    while let Some(arrived) = queue.arrived(A_MOMENT) {
        let went_on = catch_unwind(AssertUnwindSafe(|| follower.go_on(arrived)));
        if went_on.is_err() {
            tracing::error!("following the store made a thread panic");
            follower.end_all();
        }
    }
    follower.end_all();
    for stream in queue.lock().arrived.drain(..) {
        stream.queue.close();
    }
}

struct Follower {
    store: AnyStore,
    streams: Vec<Stream>,
    /// What was seen last; nothing while there are no streams.
    seen: Option<Seen>,
    /// The moment at which that was.
    mark: Option<StoreMark>,
    /// Whether there was more then than was looked at.
    is_more: bool,
    /// When it was last looked whether callers may still know.
    judged: Instant,
    /// When all was looked at,
    looked: Instant,
    /// and how long nothing is looked at from then on.
    pause: Duration,
    /// When streams were last sent something that says nothing.
    last_beat: Instant,
}

impl Follower {
    /// Tells what is new, and begins the streams that arrived.
    fn go_on(&mut self, arrived: Vec<Stream>) {
        let mark = self.store.mark();
        self.streams.retain(|stream| !stream.queue.is_closed());
        if self.streams.is_empty() && arrived.is_empty() {
            self.seen = None;
            return;
        }
        let is_other_store = match (&mark, self.mark) {
            (Ok(mark), Some(before)) => !mark.is_of_same_files(before),
            (Ok(_), None) => false,
            (Err(_), _) => true,
        };
        if is_other_store {
            // Those who come again are judged by what is there now.
            self.end_all();
        }
        let told = mark.map_err(AdminError::from).and_then(|mark| {
            let news = self.look(mark)?;
            let is_new = !news.events.is_empty() || news.is_missed;
            if is_new || self.judged.elapsed() >= JUDGED_EVERY {
                self.tell(&news);
            }
            Ok(())
        });
        match told {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the store could not be followed");
                self.end_all();
                for stream in arrived {
                    refuse(stream, Problem::unavailable(UNFOLLOWED));
                }
                return;
            }
        }
        if self.last_beat.elapsed() >= BEAT_EVERY {
            self.last_beat = Instant::now();
            for stream in &self.streams {
                stream.queue.push(&Bytes::from_static(BEAT));
            }
        }
        for stream in arrived {
            self.begin(stream);
        }
    }

    /// Looks at what is new at this moment.
    fn look(&mut self, mark: StoreMark) -> Result<News, AdminError> {
        let begun = Instant::now();
        let is_known = self.mark == Some(mark) && !self.is_more;
        // A broker that dies writes nothing.
        let rested = self.looked.elapsed();
        let is_due = !is_known || rested >= LOOKED_EVERY;
        if self.seen.is_some() && (!is_due || rested < self.pause) {
            return Ok(News::default());
        }
        let looking = Seen::look(self.seen.as_ref());
        let found = self.run_as_owner(&looking)?;
        let news = match &mut self.seen {
            Some(seen) => seen.compare(found),
            None => {
                self.seen = Some(Seen::first(found));
                News::default()
            }
        };
        self.mark = Some(mark);
        self.is_more = news.is_more;
        // Looking takes a part of the time alone.
        self.looked = Instant::now();
        self.pause = begun.elapsed().saturating_mul(PAUSES);
        Ok(news)
    }

    /// Tells each stream what its caller may know; ends those whose caller may not know
    /// any more what it could when it began.
    fn tell(&mut self, news: &News) {
        self.judged = Instant::now();
        let texts: Vec<_> = news.events.iter().map(text).collect();
        let mut streams = core::mem::take(&mut self.streams);
        for stream in &mut streams {
            match self.see(stream, &news.events) {
                Ok(seen) => {
                    for text in seen.into_iter().filter_map(|place| texts.get(place)) {
                        stream.queue.push(text);
                    }
                    if news.is_missed {
                        stream.queue.miss();
                    }
                }
                Err(_) => stream.queue.close(),
            }
        }
        self.streams = streams;
    }

    /// Which of these events a stream is told.
    fn see(&mut self, stream: &mut Stream, events: &[Event]) -> Result<Vec<usize>, Problem> {
        let wish = &stream.wish;
        let command = SeeEvents {
            tenant: wish.tenant.as_ref(),
            events,
        };
        let caller = Caller {
            actor: &wish.who.actor,
            authority: wish.who.authority,
        };
        let seen = run_as(&mut self.store, caller, &command)?;
        let before = stream.horizon.get_or_insert_with(|| seen.horizon.clone());
        if *before != seen.horizon {
            return Err(Problem::unauthenticated());
        }
        Ok(seen.seen)
    }

    /// Begins a stream, with what happened since its reader was here before.
    fn begin(&mut self, mut stream: Stream) {
        let Some(last) = self.seen.as_ref().map(|seen| seen.last) else {
            return;
        };
        let begun = self.missing(&stream, last).and_then(|(events, is_missed)| {
            let seen = self.see(&mut stream, &events)?;
            let begin = format!("id: {last}\nretry: {RETRY_MILLISECONDS}\n\n");
            let shown = seen.into_iter().filter_map(|place| events.get(place));
            for text in shown.map(text) {
                stream.queue.push(&text);
            }
            if is_missed {
                stream.queue.miss();
            }
            stream.queue.push(&Bytes::from(begin));
            Ok(())
        });
        match begun {
            Ok(()) => {
                if let Some(ready) = stream.ready.take() {
                    // Who is gone by now drops the stream's other end.
                    let _ = ready.send(Ok(()));
                }
                self.streams.push(stream);
            }
            Err(problem) => refuse(stream, problem),
        }
    }

    /// What was written down since a reader was here before, and whether there is more
    /// than can be told.
    fn missing(&mut self, stream: &Stream, last: i64) -> Result<(Vec<Event>, bool), Problem> {
        let mut events = Vec::new();
        let Some(mut after) = stream.wish.after else {
            return Ok((events, false));
        };
        if after > last {
            return Ok((events, true));
        }
        for _ in 0..MOST_PAGES {
            let command = FollowAudit {
                query: AuditQuery::default(),
                after,
            };
            let found = self.run_as_owner(&command)?;
            let rows = found.rows.into_iter();
            // Of a sum, a part may have been told before.
            let rows = rows.filter(|row| row.id <= Some(last) && !row.entry.is_sum());
            events.extend(rows.filter_map(Event::of_row));
            match found.last.filter(|found| *found < last) {
                Some(found) => after = found,
                None => return Ok((events, false)),
            }
        }
        Ok((Vec::new(), true))
    }

    fn run_as_owner<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        run_as(&mut self.store, Caller::owner("http:events"), command)
    }

    fn end_all(&mut self) {
        for stream in self.streams.drain(..) {
            stream.queue.close();
        }
        self.seen = None;
        self.mark = None;
    }
}

fn run_as<C: Command>(
    store: &mut AnyStore,
    caller: Caller<'_>,
    command: &C,
) -> Result<C::Output, AdminError> {
    let mut context = Context {
        now: now(),
        caller,
        random: &mut OsRandom,
    };
    run(store, &mut context, command)
}

/// Tells who waits for a stream why there is none.
fn refuse(mut stream: Stream, problem: Problem) {
    stream.queue.close();
    if let Some(ready) = stream.ready.take() {
        let _ = ready.send(Err(problem));
    }
}

/// An event as a stream has it. One that is written down has the number of its row, by
/// which its reader can go on.
fn text(event: &Event) -> Bytes {
    let id = match event {
        Event::Credential(row) | Event::Denied(row) | Event::Login(row) => row.id,
        Event::Session { .. } => None,
    };
    let mut text = String::new();
    for (kind, data) in event.told() {
        if let Some(id) = id {
            text.push_str(&format!("id: {id}\n"));
        }
        text.push_str(&format!("event: {kind}\ndata: {data}\n\n"));
    }
    Bytes::from(text)
}

const UNFOLLOWED: &str = "the store can't be followed now; the service's log says why";
/// So often it is looked whether something is new,
const A_MOMENT: Duration = Duration::from_millis(100);
/// and, where nothing was written, whether brokers are alive,
const LOOKED_EVERY: Duration = Duration::from_secs(2);
/// and, where nothing is new, whether callers may still know.
const JUDGED_EVERY: Duration = Duration::from_millis(500);
/// So many times as long as a look takes, nothing is looked at.
const PAUSES: u32 = 4;
/// So often a stream is sent something, so that nothing between takes it for dead.
const BEAT_EVERY: Duration = Duration::from_secs(15);
const BEAT: &[u8] = b":\n\n";
/// So many pages of the audit are read for who comes again.
const MOST_PAGES: usize = 2;
/// After so long a browser comes again.
const RETRY_MILLISECONDS: u32 = 2_000;
