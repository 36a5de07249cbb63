//! A page on its way in: text, piece by piece, into blocks that count as kept from the first one on.
//!
//! Where there is no room, it waits for a moment: those who are reading a page that was replaced
//! have taken it soon.

use std::rc::Rc;
use std::time::Instant;

use smol::Timer;

use super::group::Group;
use super::refusal::{PushError, Room};
use crate::exposition::{Format, Page};
use crate::http::alarm::later;
use crate::limits::PUSH_PATIENCE;
use crate::memory::{Budget, PageError, PageWriter, Pool};
use crate::source::intake::{Losses, index_as};
use crate::source::{Engine, ScrapeError, Source};

/// A page that is being received.
pub(crate) struct Incoming {
    budget: Budget,
    writer: PageWriter,
    /// Whether a line is under way.
    within_line: bool,
    patience: Patience,
    fault: Option<PushError>,
}

impl Incoming {
    /// An empty one.
    pub(crate) fn new(engine: &Engine, source: &Source) -> Self {
        let budget = engine.pool.store();
        Self {
            writer: PageWriter::new(budget.clone(), source.max_bytes()),
            budget,
            within_line: false,
            patience: Patience::new(&engine.pool),
            fault: None,
        }
    }

    /// Appends a piece of it. What goes wrong is told at the end: the rest must be read all the
    /// same.
    pub(crate) async fn write(&mut self, piece: &[u8]) {
        let Some(last) = piece.last().filter(|_| self.fault.is_none()) else { return };
        self.within_line = *last != b'\n';
        if let Err(error) = self.patience.write(&mut self.writer, piece).await {
            self.fail(error);
        }
    }

    /// Ends the line under way, if there is one.
    pub(crate) async fn end_line(&mut self) {
        if self.within_line {
            self.write(b"\n").await;
        }
    }

    /// Whether it is refused, so that the rest of it is of no use.
    pub(crate) const fn is_refused(&self) -> bool {
        self.fault.is_some()
    }

    /// Refuses it, unless it is refused already.
    pub(crate) fn fail(&mut self, error: PushError) {
        self.fault.get_or_insert(error);
    }

    /// The page, whole, read and packed.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) async fn finish(
        mut self,
        (source, group): (&Rc<Source>, &Group),
        format: Option<Format>,
    ) -> Result<Page, PushError> {
        self.end_line().await;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.leave_room_for_the_index().await?;
        let text = self.writer.finish().map_err(ScrapeError::from)?;
        let format = format.unwrap_or_else(|| Format::told_by_end(&text));
        let mut losses = Losses::default();
        let watch = source.watch_of(group);
        let of = (&**source, &watch);
        let read = index_as(format, text, of, &self.budget, &mut losses).await;
        source.lost(&losses);
        let mut page = match read {
            Ok(page) => page,
            Err((text, ScrapeError::Index(_))) if !source.verifies() => {
                Page::unread(text, format, &self.budget)
            }
            Err((_, ScrapeError::Memory)) => return Err(self.patience.no_room()),
            Err((_, error)) => return Err(error.into()),
        };
        page.pack();
        Ok(page)
    }

    /// Waits until the tables that come with the text will find room, most likely.
    async fn leave_room_for_the_index(&mut self) -> Result<(), PushError> {
        let tables = (self.budget.used() / 4).saturating_add(3);
        while self.budget.leases(tables).is_err() {
            self.patience.wait().await?;
        }
        Ok(())
    }
}

/// Waits for room, for a while in all.
pub(super) struct Patience {
    pool: Pool,
    /// Until when, once there was something to wait for.
    until: Option<Instant>,
}

impl Patience {
    pub(super) fn new(pool: &Pool) -> Self {
        Self { pool: pool.clone(), until: None }
    }

    /// Appends `piece`.
    ///
    /// # Errors
    ///
    /// What [`PageWriter::write`] has to say, and that there was no room for too long.
    pub(super) async fn write(
        &mut self,
        writer: &mut PageWriter,
        mut piece: &[u8],
    ) -> Result<(), PushError> {
        while !piece.is_empty() {
            let spare = match writer.spare() {
                Ok(spare) => spare,
                Err(PageError::Full) => {
                    self.wait().await?;
                    continue;
                }
                Err(error) => return Err(ScrapeError::from(error).into()),
            };
            let n = spare.len().min(piece.len());
            let (now, rest) = piece.split_at(n);
            if let Some(spare) = spare.get_mut(..n) {
                spare.copy_from_slice(now);
            }
            writer.advance(n).map_err(ScrapeError::from)?;
            piece = rest;
        }
        Ok(())
    }

    /// Waits until a block has come back.
    async fn wait(&mut self) -> Result<(), PushError> {
        let freed = self.pool.freed();
        let until = *self.until.get_or_insert_with(|| later(Instant::now(), PUSH_PATIENCE));
        let late = async {
            Timer::at(until).await;
            Err(self.no_room())
        };
        let freed = async {
            freed.await;
            Ok(())
        };
        smol::future::or(late, freed).await
    }

    /// What has run out.
    fn no_room(&self) -> PushError {
        let some = self.pool.counters().free > 0;
        PushError::Room(if some { Room::Kept } else { Room::Memory })
    }
}
