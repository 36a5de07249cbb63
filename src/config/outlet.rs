//! What the routes answer: outlets, and the sources that they name.

use super::at::At;
use super::build::{Context, at_least_one, each};
use super::error::Fault;
use super::file::{MergeFile, MergeKeys, OutletFile, ProxyFile, RouteFile};
use super::near::{DidYouMean, nearest};
use super::plan::{Member, Merge, Outlet, Proxy, Source};
use super::shape::{OneOrMany, Text};
use super::value::{self, BadValue};

/// What one route answers.
pub(super) fn outlets(
    at: &At<'_>,
    file: &RouteFile,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Vec<Outlet>, Fault> {
    #[cfg(feature = "push")]
    let pushed = super::push::outlets(at, file, sources, context)?;
    #[cfg(not(feature = "push"))]
    let pushed = Vec::new();
    let mut outlets = page_outlets(at, file, sources, context, pushed.is_empty())?;
    #[cfg(feature = "push")]
    super::push::stand_alone(at, &outlets, &pushed)?;
    outlets.extend(pushed);
    Ok(outlets)
}

/// What it answers at the path itself; `needed` tells that there must be something.
fn page_outlets(
    at: &At<'_>,
    file: &RouteFile,
    sources: &[Source],
    context: &Context<'_>,
    needed: bool,
) -> Result<Vec<Outlet>, Fault> {
    #[cfg(feature = "klipper")]
    if let Some(keys) = &file.probe {
        if file.merge.is_some() || file.proxy.is_some() {
            return Err(Fault::rule(at, "probe answers the same requests as another: choose one"));
        }
        let probe = super::klipper::probe(&at.key("probe"), keys, sources, context)?;
        return Ok(vec![Outlet::Probe(probe)]);
    }
    let outlet = match (&file.merge, &file.proxy) {
        (Some(file), None) => Outlet::Merge(merge(&at.key("merge"), file, sources, context)?),
        (None, Some(file)) => Outlet::Proxy(proxy(&at.key("proxy"), file, sources, context)?),
        (Some(_), Some(_)) => {
            return Err(Fault::rule(at, "merge and proxy answer the same requests: choose one"));
        }
        (None, None) if !needed => return Ok(Vec::new()),
        (None, None) => return Err(Fault::rule(at, "an outlet such as merge is missing")),
    };
    Ok(vec![outlet])
}

/// A merge in any of its forms.
fn merge(
    at: &At<'_>,
    file: &MergeFile,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Merge, Fault> {
    let keys = match file {
        OutletFile::Short(names) => return Ok(Merge::new(members(at, names, sources, context)?)),
        OutletFile::Long(keys) => keys,
    };
    let MergeKeys { sources: names, label, on_conflict, strict, forward_params, compress } = keys;
    let mut merge = Merge::new(named_members(at, names.as_ref(), sources, context)?);
    if let Some(label) = context.value(&at.key("label"), label.as_ref(), label_or_none)? {
        merge.label = label;
    }
    let on_conflict = context.value(&at.key("on_conflict"), on_conflict.as_ref(), str::parse)?;
    merge.on_conflict = on_conflict.unwrap_or_default();
    let strict = context.value(&at.key("strict"), strict.as_ref(), value::switch)?;
    merge.strict = strict.unwrap_or_default();
    merge.compress = self::compress(at, compress.as_ref(), context)?;
    if let Some(names) = forward_params {
        let at = at.key("forward_params");
        merge.forward = forward(&at, names, &merge.members, (sources, context))?;
    }
    Ok(merge)
}

/// `forward_params`: `true`, `false`, or the names of members.
fn forward(
    at: &At<'_>,
    names: &OneOrMany<Text>,
    members: &[Member],
    (sources, context): (&[Source], &Context<'_>),
) -> Result<Vec<Member>, Fault> {
    if let OneOrMany::One(text) = names
        && let Ok(all) = value::switch(&context.text(at, text)?)
    {
        return Ok(if all { members.to_vec() } else { Vec::new() });
    }
    let chosen = |(at, text): (At<'_>, &Text)| one_of(&at, text, members, (sources, context));
    each(at, Some(names)).into_iter().map(chosen).collect()
}

/// A proxy in any of its forms.
fn proxy(
    at: &At<'_>,
    file: &ProxyFile,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Proxy, Fault> {
    let keys = match file {
        OutletFile::Short(names) => {
            let members = members(at, names, sources, context)?;
            return Ok(Proxy { members, default: None, compress: true });
        }
        OutletFile::Long(keys) => keys,
    };
    let members = named_members(at, keys.sources.as_ref(), sources, context)?;
    let compress = compress(at, keys.compress.as_ref(), context)?;
    let at = at.key("default");
    let default = keys.default.as_ref();
    let default =
        default.map(|text| one_of(&at, text, &members, (sources, context))).transpose()?;
    Ok(Proxy { members, default, compress })
}

/// `compress`: `auto` or `never`.
pub(super) fn compress(
    at: &At<'_>,
    text: Option<&Text>,
    context: &Context<'_>,
) -> Result<bool, Fault> {
    let read = |text: &str| match text {
        "auto" => Ok(true),
        "never" => Ok(false),
        _ => Err(BadValue::new("is neither auto nor never")),
    };
    Ok(context.value(&at.key("compress"), text, read)?.unwrap_or(true))
}

/// `sources` of an outlet in its long form.
fn named_members(
    at: &At<'_>,
    names: Option<&OneOrMany<Text>>,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Vec<Member>, Fault> {
    let at = at.key("sources");
    let names = names.ok_or_else(|| Fault::rule(&at, "a source is missing"))?;
    members(&at, names, sources, context)
}

/// A name that must be among the outlet's own sources.
fn one_of(
    at: &At<'_>,
    text: &Text,
    members: &[Member],
    (sources, context): (&[Source], &Context<'_>),
) -> Result<Member, Fault> {
    let name = context.text(at, text)?;
    let one = if name == "self" { Member::Own } else { member(at, &name, sources)? };
    let stranger = || Fault::value(at, &name, "is not among the sources of this route");
    members.contains(&one).then_some(one).ok_or_else(stranger)
}

/// `none`, or a label's name.
pub(super) fn label_or_none(text: &str) -> Result<Option<Box<str>>, BadValue> {
    if text == "none" {
        return Ok(None);
    }
    value::label_name(text).map(|()| Some(text.into()))
}

/// Names to numbers; `all` is every source that is not named beside it.
pub(super) fn members(
    at: &At<'_>,
    names: &OneOrMany<Text>,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Vec<Member>, Fault> {
    let mut listed = Vec::new();
    for (at, text) in each(at, Some(names)) {
        let name = context.text(&at, text)?;
        if listed.iter().any(|(_, seen)| *seen == name) {
            return Err(Fault::value(&at, &name, "is listed twice"));
        }
        listed.push((at, name));
    }
    let named = |name: &str| listed.iter().any(|(_, listed)| listed == name);
    let mut members = Vec::new();
    for (at, name) in &listed {
        match name.as_str() {
            "self" => members.push(Member::Own),
            "all" => members.extend(
                sources
                    .iter()
                    .enumerate()
                    .filter(|(_, source)| !named(&source.name))
                    .map(|(index, _)| Member::Source(index)),
            ),
            name => members.push(member(at, name, sources)?),
        }
    }
    at_least_one(at, members.len(), "a source")?;
    Ok(members)
}

/// One name to its number.
pub(super) fn member(at: &At<'_>, name: &str, sources: &[Source]) -> Result<Member, Fault> {
    let unknown = || {
        let names = sources.iter().map(|source| &*source.name).chain(["self", "all"]);
        let hint = DidYouMean(nearest(name, names));
        Fault::value(at, name, format_args!("is not among the sources{hint}"))
    };
    let found = sources.iter().position(|source| *source.name == *name);
    found.map(Member::Source).ok_or_else(unknown)
}
