//! Looking for the few label names that matter to a merge, at hardly any cost.

/// The label names whose presence matters: those that a merge puts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    names: Vec<Box<str>>,
    /// One bit per [`fingerprint`], so that most labels are ruled out without a comparison.
    pub(super) mask: u64,
}

impl Watch {
    /// Watches for `names`.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let mask = names.iter().fold(0, |mask, name| mask | fingerprint(name.as_bytes()));
        Self { names, mask }
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.names.iter().any(|watched| watched.as_bytes() == name)
    }
}

/// One of 64 bits, by a name's length and ends.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "whatever is cut off, the bit is the same for one name")]
pub(super) const fn fingerprint(name: &[u8]) -> u64 {
    let (first, last) = match name {
        [first, .., last] => (*first as u32, *last as u32),
        [only] => (*only as u32, *only as u32),
        [] => (0, 0),
    };
    let len = name.len() as u32;
    let mixed = first.wrapping_mul(5) ^ last.wrapping_mul(11) ^ len.wrapping_mul(23);
    1_u64.wrapping_shl(mixed)
}

/// The fingerprints of the labels that mean something to every merge.
pub(super) const SPECIAL: u64 =
    fingerprint(b"le") | fingerprint(b"quantile") | fingerprint(b"__name__");
