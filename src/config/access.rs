//! `servers[].auth`: who may log in.

use super::at::At;
use super::build::{Context, at_most, each};
use super::error::Fault;
use super::file::{AccessFile, ServerFile};
use super::plan::Auth;
use super::secret::Secret;
use super::shape::{OneOrMany, Text};
use super::source::{is_token, secret_file};
use crate::limits;

/// `servers[].auth`.
pub(super) fn auth(
    at: &At<'_>,
    file: &ServerFile,
    context: &Context<'_>,
) -> Result<Option<Auth>, Fault> {
    let at = at.key("auth");
    let Some(file) = &file.auth else { return Ok(None) };
    let auth = Auth {
        tokens: tokens(&at, file, context)?,
        #[cfg(feature = "tls")]
        users: self::users::users(&at, file, context)?,
    };
    if auth == Auth::default() {
        return Err(Fault::rule(&at, "nobody could log in: a bearer_token or basic is missing"));
    }
    Ok(Some(auth))
}

/// `bearer_token` and `bearer_token_file`.
fn tokens(at: &At<'_>, file: &AccessFile, context: &Context<'_>) -> Result<Vec<Secret>, Fault> {
    let mut tokens = Vec::new();
    let mut add = |key: &str, listed: Option<&OneOrMany<Text>>, in_file: bool| {
        let at = at.key(key);
        for (at, text) in each(&at, listed) {
            let token = if in_file {
                secret_file(&at, text, context)?
            } else {
                context.text(&at, text).map_err(Fault::hidden)?
            };
            is_token(&at, &token)?;
            tokens.push(Secret::new(&token));
        }
        at_most(&at, tokens.len(), limits::LOGINS, "tokens")
    };
    add("bearer_token", file.bearer_token.as_ref(), false)?;
    add("bearer_token_file", file.bearer_token_file.as_ref(), true)?;
    Ok(tokens)
}

#[cfg(feature = "tls")]
pub(super) use self::users::hash;

#[cfg(feature = "tls")]
mod users {
    //! Names and the hashes of passwords.

    use std::str::FromStr as _;

    use super::*;
    use crate::config::shape::Named;
    use crate::config::source::is_user;

    /// `basic` and `basic_file`.
    pub(super) fn users(
        at: &At<'_>,
        file: &AccessFile,
        context: &Context<'_>,
    ) -> Result<Vec<(Box<str>, Secret)>, Fault> {
        let mut users: Vec<(Box<str>, Secret)> = Vec::new();
        let mut add = |key: &str, listed: Option<&Named<Text>>, in_file: bool| {
            let at = at.key(key);
            for (name, text) in listed.map(|named| named.0.as_slice()).unwrap_or_default() {
                let at = at.key(name);
                is_user(name).map_err(|rule| Fault::key(&at, name, rule))?;
                if users.iter().any(|(known, _)| **known == **name) {
                    return Err(Fault::key(&at, name, "is among basic too"));
                }
                let hash = if in_file {
                    secret_file(&at, text, context)?
                } else {
                    context.text(&at, text).map_err(Fault::hidden)?
                };
                users.push((name.as_str().into(), self::hash(&at, &hash)?));
            }
            at_most(&at, users.len(), limits::LOGINS, "users")
        };
        add("basic", file.basic.as_ref(), false)?;
        add("basic_file", file.basic_file.as_ref(), true)?;
        Ok(users)
    }

    /// The hash of a password, which may be the password itself by mistake.
    pub(in crate::config) fn hash(at: &At<'_>, text: &str) -> Result<Secret, Fault> {
        let Ok(parts) = bcrypt::HashParts::from_str(text) else {
            let rule = "is no bcrypt hash ($2y$10$…); `fanin hash-password` makes one";
            return Err(Fault::secret(at, rule));
        };
        if !limits::PASSWORD_COST.contains(&parts.get_cost()) {
            let (least, most) = limits::PASSWORD_COST.into_inner();
            let rule = format_args!("has a cost that is not between {least} and {most}");
            return Err(Fault::secret(at, rule));
        }
        Ok(Secret::new(text))
    }
}
