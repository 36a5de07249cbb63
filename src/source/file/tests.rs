//! What only steps of the executor can show: files that change while they are read.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use smol::LocalExecutor;

use super::*;
use crate::limits::BLOCK;
use crate::memory::Pool;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fanin-file-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listed(folder: &Folder, pattern: &str) -> Result<Vec<String>, String> {
    let pattern = PathPattern::new(pattern, &folder.0).unwrap();
    let paths = smol::block_on(list(&pattern)).map_err(|error| error.to_string())?;
    Ok(paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect())
}

#[test]
fn files_are_listed_by_name() {
    let folder = Folder::new();
    for name in ["b.prom", "a.prom", ".c.prom", "a.prom.tmp", "x/a.prom", "y/b.prom", ".z/a.prom"] {
        folder.write(name, "");
    }
    let cases: [(&str, &[&str]); 8] = [
        ("*.prom", &["a.prom", "b.prom"]),
        (".*.prom", &[".c.prom"]),
        ("[b-z].prom", &["b.prom"]),
        ("a.prom", &["a.prom"]),
        ("none.prom", &["none.prom"]),
        ("*/[ab].prom", &["x/a.prom", "y/b.prom"]),
        ("none/*.prom", &[]),
        ("*.none", &[]),
    ];
    for (pattern, want) in cases {
        let want: Vec<String> = want.iter().map(ToString::to_string).collect();
        assert_eq!(listed(&folder, pattern), Ok(want), "{pattern}");
    }
}

#[test]
fn too_many_files_are_an_error_that_names_the_limit() {
    let folder = Folder::new();
    for number in 0..FILES {
        folder.write(&format!("{number}.prom"), "");
    }
    assert_eq!(listed(&folder, "*.prom").map(|found| found.len()), Ok(FILES));
    folder.write("one-more.prom", "");
    let said = "more than 128 files or folders have such a name";
    assert_eq!(listed(&folder, "*.prom"), Err(said.to_owned()));
}

/// Reads `path`, with `between` called after each step of the executor.
fn reading(path: &Path, mut between: impl FnMut(usize)) -> Result<String, String> {
    let executor = LocalExecutor::new();
    let pool = Pool::new(64 * BLOCK, 0);
    let budget = pool.reserve();
    let result = Rc::new(RefCell::new(None));
    let (file, _) = open(path).unwrap();
    let into = Rc::clone(&result);
    executor
        .spawn(async move {
            let read = read_regular(file, || PageWriter::new(budget.clone(), 1 << 20)).await;
            into.replace(Some(read.map_err(|error| error.to_string())));
        })
        .detach();
    let mut steps = 0;
    while executor.try_tick() {
        steps += 1;
        between(steps);
    }
    let text = result.take().expect("it has ended")?;
    let bytes: Vec<u8> =
        text.blocks().iter().flat_map(|block| block.filled().iter().copied()).collect();
    Ok(String::from_utf8(bytes).unwrap())
}

/// Three blocks of lines that say `version`.
fn page(version: &str) -> String {
    (0..4000).map(|n| format!("m{n} {version}\n")).collect()
}

#[test]
fn a_file_is_read_a_block_at_a_time() {
    let folder = Folder::new();
    let path = folder.write("a", &page("1"));
    let mut steps = 0;
    let text = reading(&path, |step| steps = step);
    assert_eq!(text, Ok(page("1")));
    assert!(steps > page("1").len() / BLOCK, "{steps} steps");
}

#[test]
fn a_file_that_is_replaced_is_read_as_it_was_opened() {
    let folder = Folder::new();
    let (path, new) = (folder.write("a", &page("1")), folder.write("b", &page("2")));
    let text = reading(&path, |step| {
        if step == 1 {
            fs::rename(&new, &path).unwrap();
        }
    });
    assert_eq!(text, Ok(page("1")));
}

/// Whatever happens in place behind the first block: what comes out is the whole of one version.
#[test]
fn a_file_that_changes_is_read_again() {
    let append = |path: &Path| {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"more 1\n").unwrap();
    };
    let same_length = |path: &Path| {
        fs::write(path, page("2")).unwrap();
        let file = OpenOptions::new().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change<'_>, String); 5] = [
        ("it grows", &append, page("1") + "more 1\n"),
        ("it shrinks to nothing", &|path| fs::write(path, "").unwrap(), String::new()),
        ("it shrinks", &|path| fs::write(path, "one 1\n").unwrap(), "one 1\n".to_owned()),
        ("it is written anew", &|path| fs::write(path, page("222")).unwrap(), page("222")),
        ("of the same length", &same_length, page("2")),
    ];
    for (name, change, want) in cases {
        let folder = Folder::new();
        let path = folder.write("a", &page("1"));
        let text = reading(&path, |step| {
            if step == 1 {
                change(&path);
            }
        });
        assert_eq!(text, Ok(want), "{name}");
    }
}

#[test]
fn a_file_that_never_stands_still_is_an_error() {
    let folder = Folder::new();
    let path = folder.write("a", &page("1"));
    let text = reading(&path, |step| fs::write(&path, page(&step.to_string())).unwrap());
    let said = "changed while it was read, 3 times in a row";
    assert_eq!(text, Err(said.to_owned()));
}

#[test]
fn names_are_told_apart_and_need_no_second_line() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let cases: [(&[u8], &str); 5] = [
        (b"a.prom", "a.prom"),
        (b"a\n\x1b", "a\\n\\u{1b}"),
        (b"a\xff", "a\\xff"),
        (b"a\\xff", "a\\\\xff"),
        ("é".as_bytes(), "é"),
    ];
    for (below, want) in cases {
        let below = PathBuf::from(OsStr::from_bytes(below));
        let name = FileName { folder: "/secret".into(), below };
        assert_eq!(
            (name.to_string(), format!("{name:#}")),
            (want.into(), format!("/secret/{want}"))
        );
    }
}
