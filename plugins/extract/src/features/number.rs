//! Counts as numbers that a tree can compare.

pub(super) trait Count {
    fn float(self) -> f32;
}

impl Count for u32 {
    #[expect(clippy::cast_precision_loss, reason = "seven digits are enough for a size")]
    fn float(self) -> f32 {
        self as f32
    }
}

impl Count for u16 {
    fn float(self) -> f32 {
        f32::from(self)
    }
}

impl Count for usize {
    #[expect(clippy::cast_precision_loss, reason = "seven digits are enough for a size")]
    fn float(self) -> f32 {
        self as f32
    }
}

pub(super) fn flag(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// Sizes that differ by a factor differ by as much wherever they are.
pub(super) fn log(count: impl Count) -> f32 {
    (1.0 + count.float()).ln()
}

pub(super) fn ratio(part: impl Count, whole: impl Count) -> f32 {
    let whole = whole.float();
    if whole == 0.0 { 0.0 } else { part.float() / whole }
}
