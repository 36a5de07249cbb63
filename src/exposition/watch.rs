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
#[inline]
pub(super) fn fingerprint(name: &[u8]) -> u64 {
    let first = name.first().copied().map_or(0, u32::from);
    let last = name.last().copied().map_or(0, u32::from);
    let len = u32::try_from(name.len()).unwrap_or(0);
    let mixed = first.wrapping_mul(5) ^ last.wrapping_mul(11) ^ len.wrapping_mul(23);
    1_u64.wrapping_shl(mixed)
}
