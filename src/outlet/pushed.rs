//! The pages of a push source in a merge: one part for each application or group.

use std::rc::Rc;
use std::time::Instant;

use smol::future::yield_now;

use super::{Body, Refusal, admitted};
use crate::exposition::{Emitter, Labels, Merge, Merged, Names, OnConflict, Page, Part};
use crate::http::outgoing::Reply;
use crate::limits::MERGE_BLOCKS;
use crate::memory::{Budget, Full, Want};
use crate::source::push::{Group, INSTANCE, Pushed};
use crate::source::{Engine, Source};

/// Labels that are put on behind a source's own.
type More<'a> = &'a [(Box<str>, Box<str>)];

/// Adds what was pushed to `source`, if it is a source for that. `name` is the label that tells the
/// source, `more` are put on behind the source's own.
///
/// # Errors
///
/// [`Full`] when there is no block for the names.
pub(super) fn add(
    merge: &mut Merge,
    source: &Source,
    (name, more): (Option<(&str, &str)>, More<'_>),
) -> Result<(), Full> {
    for Pushed { page, group, watched } in source.pushed() {
        let labels = Rc::new(labels(source, &group, (name, more)));
        merge.add(Part { page, labels, watched })?;
    }
    Ok(())
}

/// One page of all that was pushed to `source`, `times` of its groups before it.
///
/// # Errors
///
/// [`Refusal`] when there is no block for its tables.
pub(super) async fn page(
    engine: &Engine,
    source: &Source,
    (times, names): (Rc<Page>, Names),
    deadline: Instant,
) -> Result<Reply<Body>, Refusal> {
    let want = Want { blocks: MERGE_BLOCKS, guessed: false };
    let budget = admitted(engine, want, deadline).await?.budget;
    let joined = join(source, times, names, &budget).await;
    budget.settle();
    let joined = joined.map_err(|_| Refusal::memory(engine))?;
    let body = Body::merged(Emitter::new(Rc::new(joined)));
    Ok(Reply::new(200, names.content_type(), body))
}

async fn join(
    source: &Source,
    times: Rc<Page>,
    names: Names,
    budget: &Budget,
) -> Result<Merged, Full> {
    let mut merge = Merge::new(OnConflict::default(), names, budget)?;
    merge.add(Part::new(times, Rc::default()))?;
    add(&mut merge, source, (None, &[]))?;
    while merge.advance()? {
        yield_now().await;
    }
    Ok(merge.finish())
}

/// The labels of one group's samples: the source's own and `more`, but for those that the group has
/// too, then the group's.
fn labels(
    source: &Source,
    group: &Group,
    (name, more): (Option<(&str, &str)>, More<'_>),
) -> Labels {
    let is_name = |label: &str| name.is_some_and(|(name, _)| name == label);
    let of_group = || group.labels().filter(|(label, _)| !is_name(label));
    let has = |label: &str| of_group().any(|(of_group, _)| of_group == label);
    let more = || more.iter().map(|(name, value)| (&**name, &**value));
    let own = || source.labels().chain(more()).filter(|(label, _)| !has(label));
    // What an application says of itself may stay beside its name; a group takes the place.
    if group.as_app().is_some() {
        return Labels::new(name.into_iter().chain(own()).chain(of_group()));
    }
    // As the Pushgateway has it: so that `honor_labels` puts no other instance there.
    let none = (!group.has(INSTANCE) && !own().any(|(label, _)| label == INSTANCE))
        .then_some((INSTANCE, ""));
    let labels = name.into_iter().chain(own()).chain(none).chain(of_group());
    Labels::new(labels).forcing(of_group().count())
}
