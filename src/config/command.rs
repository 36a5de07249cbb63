//! `sources.NAME.exec`: a command, judged as far as that can be done without running it.

use std::path::PathBuf;

use super::at::At;
use super::build::{Context, at_most};
use super::error::Fault;
use super::file::ExecFile;
use super::plan::Exec;
use super::secret::Secret;
use super::shape::{Named, OneOrMany, Text};
use super::source::{Pair, secret_file};
use super::value::{self, BadValue};
use crate::limits;

/// One command.
pub(super) fn exec(at: &At<'_>, file: &ExecFile, context: &Context<'_>) -> Result<Exec, Fault> {
    let (program, args) = command(&at.key("command"), file.command.as_ref(), context)?;
    let switch = |key: &str, text: Option<&Text>| context.value(&at.key(key), text, value::switch);
    Ok(Exec {
        program,
        args,
        env: variables(at, file, context)?,
        clear_env: switch("clear_env", file.clear_env.as_ref())?.unwrap_or(false),
        cwd: context.value(&at.key("cwd"), file.cwd.as_ref(), |text| {
            plain_path(text).map(|()| context.folder().join(text))
        })?,
        allow_args: switch("allow_args", file.allow_args.as_ref())?.unwrap_or(false),
    })
}

/// The program, as a path where it has a slash, and its arguments. These are never shown: what a
/// variable of the environment put there may be a secret.
fn command(
    at: &At<'_>,
    words: Option<&OneOrMany<Text>>,
    context: &Context<'_>,
) -> Result<(PathBuf, Vec<Secret>), Fault> {
    let missing = || Fault::rule(at, "a program is missing");
    let (program, args) = match words {
        Some(OneOrMany::One(program)) => {
            let program = context.text(at, program)?;
            if program.contains(char::is_whitespace) {
                let rule = "holds a blank; with arguments it is a list: [program, argument]";
                return Err(Fault::value(at, &program, rule));
            }
            (program, [].as_slice())
        }
        Some(OneOrMany::Many(words)) => {
            at_most(at, words.len(), limits::COMMAND_WORDS, "words")?;
            let (program, args) = words.split_first().ok_or_else(missing)?;
            (context.text(&at.index(0), program)?, args)
        }
        None => return Err(missing()),
    };
    let path = plain_path(&program)
        .and_then(|()| match program.ends_with('/') {
            true => Err(BadValue::new("is a folder")),
            false if program.contains('/') => Ok(context.folder().join(&program)),
            false => Ok(PathBuf::from(&program)),
        })
        .map_err(|rule| Fault::value(at, &program, rule))?;
    let word = |(index, text): (usize, &Text)| {
        let at = at.index(index.saturating_add(1));
        let text = context.text(&at, text)?;
        let hidden = |rule| Fault::secret(&at, rule);
        plain(&text, limits::COMMAND_WORD).map(|()| Secret::new(&text)).map_err(hidden)
    };
    let args = args.iter().enumerate().map(word).collect::<Result<_, _>>()?;
    Ok((path, args))
}

/// A path that can be one.
fn plain_path(text: &str) -> Result<(), BadValue> {
    if text.is_empty() {
        return Err(BadValue::new("is empty"));
    }
    plain(text, limits::FILE_PATH)
}

/// What the system takes as a word: anything but a NUL byte.
fn plain(text: &str, most: usize) -> Result<(), BadValue> {
    if text.contains('\0') {
        return Err(BadValue::new("holds a NUL byte"));
    }
    if text.len() > most {
        return Err(BadValue::new(format!("has more than {most} bytes")));
    }
    Ok(())
}

/// `env` and `env_file` together.
fn variables(
    at: &At<'_>,
    file: &ExecFile,
    context: &Context<'_>,
) -> Result<Vec<Pair<Secret>>, Fault> {
    let env_at = at.key("env");
    let mut variables = named(&env_at, file.env.as_ref(), |at, text| context.text(at, text))
        .map_err(Fault::hidden)?;
    let files_at = at.key("env_file");
    for (name, value) in
        named(&files_at, file.env_file.as_ref(), |at, text| secret_file(at, text, context))?
    {
        if variables.iter().any(|(known, _)| *known == name) {
            return Err(Fault::key(&files_at.key(&name), &name, "is among env too"));
        }
        variables.push((name, value));
    }
    at_most(&env_at, variables.len(), limits::COMMAND_ENV, "variables")?;
    Ok(variables)
}

/// Variables whose values `read` finds.
fn named(
    at: &At<'_>,
    named: Option<&Named<Text>>,
    read: impl Fn(&At<'_>, &Text) -> Result<String, Fault>,
) -> Result<Vec<Pair<Secret>>, Fault> {
    let listed = named.map(|named| named.0.as_slice()).unwrap_or_default();
    let one = |(name, text): &(String, Text)| {
        let at = at.key(name);
        variable_name(name).map_err(|rule| Fault::key(&at, name, rule))?;
        let value = read(&at, text)?;
        plain(&value, limits::SECRET).map_err(|rule| Fault::secret(&at, rule))?;
        Ok((name.as_str().into(), Secret::new(&value)))
    };
    listed.iter().map(one).collect()
}

/// A variable's name: not only what a shell would take.
fn variable_name(name: &str) -> Result<(), BadValue> {
    if name.is_empty() || name.len() > limits::LABEL_NAME {
        return Err(BadValue::new("is no variable's name"));
    }
    if name.contains(|c: char| c == '=' || c.is_control()) {
        return Err(BadValue::new("holds \"=\" or a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_names_are_judged() {
        let long = "x".repeat(129);
        let cases = [
            ("LANG", true),
            ("my.var", true),
            ("", false),
            ("A=B", false),
            ("A\0", false),
            ("A\n", false),
            (&long, false),
        ];
        for (name, want) in cases {
            assert_eq!(variable_name(name).is_ok(), want, "{name:?}");
        }
    }
}
