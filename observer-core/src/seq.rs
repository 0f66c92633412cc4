//! TCP sequence numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A TCP sequence number: 32 bits that wrap, compared as RFC 9293 section 3.4 says.
///
/// There is no `PartialOrd` on purpose: the order is only meaningful between numbers less than 2³¹ apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// How far `self` lies after `other`, modulo 2³².
    pub const fn distance_from(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }

    /// Whether `self` comes after `other`.
    pub const fn is_after(self, other: Self) -> bool {
        self.distance_from(other).wrapping_sub(1) < 0x7fff_ffff
    }
}

impl fmt::Debug for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_wraps() {
        assert!(SeqNumber(2).is_after(SeqNumber(u32::MAX)));
        assert!(!SeqNumber(u32::MAX).is_after(SeqNumber(2)));
        assert!(!SeqNumber(7).is_after(SeqNumber(7)));
        assert_eq!(SeqNumber(2).distance_from(SeqNumber(u32::MAX)), 3);
        assert!(
            !SeqNumber(0).is_after(SeqNumber(0x8000_0000)) && !SeqNumber(0x8000_0000).is_after(SeqNumber(0))
        );
    }
}
