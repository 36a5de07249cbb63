//! What needs no running daemon: programs are found, faults get their hints.

use std::fs;

use super::*;
use crate::config::Secret;

fn exec(program: &Path) -> Exec {
    Exec::new(&config::Exec {
        program: program.to_owned(),
        args: Vec::new(),
        env: Vec::new(),
        clear_env: false,
        cwd: None,
        allow_args: false,
    })
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("fanin-exec-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn programs_are_found_in_path() {
    let folder = Folder::new("path");
    for (name, mode) in [("a/x", 0o644), ("b/x", 0o755), ("c/x", 0o755), ("a/y", 0o600)] {
        folder.write(name, mode);
    }
    fs::create_dir_all(folder.0.join("a/z")).unwrap();
    let cases = [
        ("the first that is executable", "x", "a:b:c", Some("b/x")),
        ("in order", "x", "c:b", Some("c/x")),
        ("none is executable", "y", "a:b", Some("a/y")),
        ("a folder", "z", "a:b", Some("a/z")),
        ("missing folders", "x", "none:c", Some("c/x")),
        ("nowhere", "w", "a:b:c", None),
        ("no folders", "x", "", None),
    ];
    let absolute = |path: &str| {
        let folders = path.split(':').filter(|folder| !folder.is_empty());
        env::join_paths(folders.map(|name| folder.0.join(name))).unwrap()
    };
    for (name, program, path, want) in cases {
        let found = find(program.as_ref(), &absolute(path));
        assert_eq!(found, want.map(|want| folder.0.join(want)), "{name}");
    }
    assert_eq!(find("x".as_ref(), ":.:bin".as_ref()), None, "relative folders");
}

#[test]
fn a_path_in_env_is_where_the_program_is_looked_for() {
    let folder = Folder::new("env");
    let program = folder.write("only-here", 0o755);
    let mut exec = exec("only-here".as_ref());
    let missing = exec.program().unwrap_err().to_string();
    assert_eq!(missing, "cannot start \"only-here\": no such file (it is not in PATH)");
    exec.plan.env.push(("PATH".into(), Secret::new(folder.0.to_str().unwrap())));
    assert_eq!(exec.program().unwrap(), program);
}

#[test]
fn a_relative_path_is_no_name() {
    for program in ["./x", "a/x", "/x"] {
        assert_eq!(exec(program.as_ref()).program().unwrap(), Path::new(program));
    }
}

#[test]
fn a_program_is_named_without_its_folder_but_in_the_log() {
    let full = || io::Error::from_raw_os_error(24);
    let fault = exec("/opt/secret/x".as_ref()).cannot_start("/opt/secret/x".as_ref(), full());
    assert_eq!(fault.to_string(), format!("cannot start \"x\": {}", full()));
    assert!(format!("{fault:#}").starts_with("cannot start \"/opt/secret/x\": "), "{fault:#}");
}
