//! The `merge` outlet: all its sources at once, each within its deadline, as one page.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Instant;

use smol::Timer;
use smol::future::yield_now;

use super::{Refusal, Server, admitted};
use crate::config;
use crate::exposition::{Labels, Merge, Merged, Names, OnConflict, Page, Part, Watch};
use crate::limits::{FIRST_BLOCKS, MERGE_BLOCKS, REPLY_MARGIN};
use crate::memory::{Admission, Budget, Full, Want};
use crate::source::flight::{Flight, Flights};
use crate::source::{Engine, Params, ScrapeError, Source, own_page};
use crate::telemetry::log::Chain;

/// A merge as configured.
pub struct MergeOutlet {
    members: Vec<Member>,
    on_conflict: OnConflict,
    strict: bool,
    compress: bool,
    /// Put on behind the sources' own.
    #[cfg(feature = "push")]
    labels: Vec<(Box<str>, Box<str>)>,
    /// Whether it asks for little memory where it does not know how much it takes.
    modest: bool,
    /// Blocks that the tables of the last merge took.
    tables: Cell<usize>,
    flights: Flights<Request, Outcome>,
}

/// What makes two requests to a route equal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    params: Params,
    names: Names,
}

/// What a merge takes from, and the labels it puts on.
struct Member {
    from: From,
    labels: Rc<Labels>,
    /// The name of the one that tells the source.
    #[cfg(feature = "push")]
    label: Option<Box<str>>,
    /// Whether it is given the request's parameters.
    forward: bool,
}

enum From {
    Own(Watch),
    Source(Rc<Source>),
}

impl Member {
    /// The label that tells this source, and its name.
    #[cfg(feature = "push")]
    fn name_label(&self) -> Option<(&str, &str)> {
        let source = self.source()?;
        self.label.as_deref().map(|label| (label, source.name()))
    }

    const fn source(&self) -> Option<&Rc<Source>> {
        match &self.from {
            From::Own(_) => None,
            From::Source(source) => Some(source),
        }
    }
}

/// A merged page, or why there is none.
pub type Outcome = Result<Rc<Merged>, Refusal>;

/// What one scrape of all members gave, in their order.
type Gathered = Vec<Result<Rc<Page>, Rc<ScrapeError>>>;

impl MergeOutlet {
    /// The outlet that `plan` describes, of these sources.
    #[must_use]
    pub fn new(plan: &config::Merge, own_labels: &[Box<str>], sources: &[Rc<Source>]) -> Self {
        let named = |name: &str, labels: &[(&str, &str)]| {
            let own = plan.label.iter().map(|label| (&**label, name));
            let of_all = plan.labels.iter().map(|(name, value)| (&**name, &**value));
            Rc::new(Labels::new(own.chain(labels.iter().copied()).chain(of_all)))
        };
        let member = |one: &config::Member| match *one {
            config::Member::Own => {
                let watch = Watch::new(own_labels.iter().map(AsRef::as_ref));
                Some(Member {
                    from: From::Own(watch),
                    labels: named("self", &[]),
                    #[cfg(feature = "push")]
                    label: None,
                    forward: false,
                })
            }
            config::Member::Source(number) => {
                let source = sources.get(number)?;
                let labels: Vec<_> = source.labels().collect();
                let labels = named(source.name(), &labels);
                let forward = plan.forward.contains(one);
                Some(Member {
                    from: From::Source(Rc::clone(source)),
                    labels,
                    #[cfg(feature = "push")]
                    label: plan.label.clone(),
                    forward,
                })
            }
        };
        Self {
            members: plan.members.iter().filter_map(member).collect(),
            on_conflict: plan.on_conflict,
            strict: plan.strict,
            compress: plan.compress,
            #[cfg(feature = "push")]
            labels: plan.labels.clone(),
            modest: false,
            tables: Cell::new(MERGE_BLOCKS),
            flights: Flights::default(),
        }
    }

    /// The same for one who asks on a timer, and whom no first scrape of others is to wait for: a
    /// guess would be the most that there may be, one at a time.
    #[cfg(feature = "pipe")]
    #[must_use]
    pub fn modest(self) -> Self {
        Self { modest: true, ..self }
    }

    /// Whether its page may leave packed.
    #[must_use]
    pub const fn compresses(&self) -> bool {
        self.compress
    }

    /// The sources it merges.
    fn sources(&self) -> impl Iterator<Item = &Rc<Source>> {
        self.members.iter().filter_map(Member::source)
    }

    /// The sources it merges, each with what it is given of `params`.
    fn given(&self, params: &Params) -> impl Iterator<Item = (&Rc<Source>, Params)> {
        self.members.iter().filter_map(|member| {
            let source = member.source()?;
            let params = if member.forward { source.heeded(params) } else { Params::default() };
            Some((source, params))
        })
    }

    /// Whether one failure fails the whole.
    #[must_use]
    pub const fn is_strict(&self) -> bool {
        self.strict
    }

    /// The page for a request with this query, by `deadline`. Equal requests that come while it is
    /// being made get the same one.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says what the scraper is answered instead.
    pub async fn page(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        server: &Rc<Server>,
        (query, names): (&str, Names),
        deadline: Instant,
    ) -> Outcome {
        let params = Params::new(query);
        let request = Request { params: params.clone(), names };
        let flight = self.flights.share(request, deadline, || {
            let (outlet, server) = (Rc::clone(self), Rc::clone(server));
            let for_work = Rc::clone(engine);
            Flight::start(&engine.executor, deadline, async move {
                outlet.make(&for_work, &server, (&params, names), deadline).await
            })
        });
        let late = async {
            // Sources that miss the deadline are left out; merging the others takes a moment more.
            Timer::at(deadline.checked_add(REPLY_MARGIN).unwrap_or(deadline)).await;
            Err(Refusal::unavailable("the page was not done within the scrape's timeout".into()))
        };
        smol::future::or(flight.result(), late).await
    }

    /// Scrapes all members and merges what they give.
    async fn make(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        server: &Rc<Server>,
        (params, names): (&Params, Names),
        deadline: Instant,
    ) -> Outcome {
        let is_short =
            |page: &Result<_, Rc<ScrapeError>>| page.as_ref().is_err_and(|error| error.is_memory());
        for again in [true, false] {
            let start = Instant::now();
            let (Admission { budget, .. }, gathered) =
                self.gather(engine, (params, deadline)).await?;
            let repeatable =
                self.given(params).all(|(source, params)| source.is_repeatable(&params));
            let short = gathered.iter().any(is_short);
            // Not where there is less time than this took: what is there would be lost for nothing.
            let in_time = deadline.saturating_duration_since(Instant::now()) > start.elapsed();
            if short && again && repeatable && in_time {
                // All is freed; each source has remembered that it needs more.
                continue;
            }
            for (source, _) in self.sources().zip(&gathered).filter(|(_, page)| is_short(page)) {
                source.gave_up();
            }
            let failures = self.failures(&gathered);
            if let Some(refusal) = &failures
                && (self.strict || gathered.iter().all(Result::is_err))
            {
                let starved = short && !repeatable;
                return Err(if starved { Refusal::memory(engine) } else { refusal.clone() });
            }
            match self.merge(engine, server, (gathered, names), &budget).await {
                Ok(merged) => {
                    // A page without a sample is no answer to failures.
                    if let Some(refusal) = failures.filter(|_| merged.samples() == 0) {
                        return Err(refusal);
                    }
                    budget.settle();
                    engine.metrics.conflicts(merged.conflicts());
                    return Ok(Rc::new(merged));
                }
                // Freed and remembered likewise.
                Err(Full) => self.tables.set(budget.granted().saturating_mul(2)),
            }
            if !(repeatable && in_time) {
                break;
            }
        }
        Err(Refusal::memory(engine))
    }

    /// Scrapes all sources at once, when there are blocks for all of them.
    async fn gather(
        &self,
        engine: &Rc<Engine>,
        (params, deadline): (&Params, Instant),
    ) -> Result<(Admission, Gathered), Refusal> {
        let expect = |(source, params): (&Rc<Source>, Params)| match source.expects(&params) {
            (_, true) if self.modest => (FIRST_BLOCKS, false),
            expected => expected,
        };
        let expected: Vec<_> = self.given(params).map(expect).collect();
        let blocks = expected.iter().map(|(blocks, _)| *blocks);
        let want = Want {
            blocks: blocks.fold(self.tables.get(), usize::saturating_add),
            guessed: expected.iter().any(|(_, guessed)| *guessed),
        };
        let mut admission = admitted(engine, want, deadline).await?;
        let mut tasks = Vec::with_capacity(expected.len());
        let wants = expected.iter().map(|(blocks, _)| *blocks).chain([self.tables.get()]).collect();
        let shares = fair_shares(wants, admission.budget.granted());
        for ((source, params), share) in self.given(params).zip(shares) {
            let budget = admission.budget.split(share);
            let (source, for_work) = (Rc::clone(source), Rc::clone(engine));
            tasks.push(
                engine.executor.spawn(async move {
                    source.scrape(&for_work, budget, (&params, deadline)).await
                }),
            );
        }
        let mut gathered = Vec::with_capacity(tasks.len());
        for task in tasks {
            gathered.push(task.await);
        }
        admission.sizes_known();
        Ok((admission, gathered))
    }

    /// What is told of the sources that failed, if any did.
    fn failures(&self, gathered: &Gathered) -> Option<Refusal> {
        let mut text = String::new();
        for (source, page) in self.sources().zip(gathered) {
            let Err(error) = page else { continue };
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}source \"{}\": {}", source.name(), Chain(&**error));
        }
        (!text.is_empty()).then(|| Refusal::unavailable(text))
    }

    /// Makes one page of what the sources gave and, where it belongs, fanin's own metrics.
    async fn merge(
        &self,
        engine: &Engine,
        server: &Server,
        (gathered, names): (Gathered, Names),
        budget: &Budget,
    ) -> Result<Merged, Full> {
        let mut merge = Merge::new(self.on_conflict, names, budget)?;
        let mut gathered = gathered.into_iter();
        for member in &self.members {
            let page = match &member.from {
                From::Source(_) => gathered.next().and_then(Result::ok),
                From::Own(watch) => {
                    let page = server.with_metrics_of_now(engine, |now| {
                        own_page(&engine.metrics, now, watch, budget)
                    });
                    Some(Rc::new(page.map_err(|_| Full)?))
                }
            };
            let Some(page) = page else { continue };
            merge.add(Part::new(page, Rc::clone(&member.labels)))?;
            #[cfg(feature = "push")]
            if let From::Source(source) = &member.from {
                super::pushed::add(&mut merge, source, (member.name_label(), &self.labels))?;
            }
            yield_now().await;
        }
        while merge.advance()? {
            yield_now().await;
        }
        // What finding duplicates took counts too, though it ends here.
        self.tables.set(budget.used().max(MERGE_BLOCKS));
        Ok(merge.finish())
    }
}

/// What each gets of `granted` blocks where all want more than there is: who wants little gets it,
/// and the others the same.
fn fair_shares(mut wants: Vec<usize>, granted: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by_key(|at| wants.get(*at).copied());
    let (mut left, mut takers) = (granted, wants.len());
    for at in order {
        let Some(want) = wants.get_mut(at) else { continue };
        *want = (*want).min(left.checked_div(takers).unwrap_or(0));
        left = left.saturating_sub(*want);
        takers = takers.saturating_sub(1);
    }
    wants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_little_gets_it_where_there_is_not_enough() {
        let cases = [
            ("enough", vec![4, 12, 16], 40, vec![4, 12, 16]),
            ("just enough", vec![4, 12, 16], 32, vec![4, 12, 16]),
            ("one of little", vec![16, 4, 12, 16], 20, vec![5, 4, 5, 6]),
            ("nothing", vec![4, 12], 0, vec![0, 0]),
            ("nobody", vec![], 7, vec![]),
        ];
        for (name, wants, granted, shares) in cases {
            assert_eq!(fair_shares(wants, granted), shares, "{name}");
        }
    }
}
