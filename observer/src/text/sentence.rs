//! Temporary.
use observer_core::Finding;
pub(crate) trait Sentence {
    fn sentence(&self) -> String;
}
impl Sentence for Finding {
    fn sentence(&self) -> String {
        format!("{:?}", self.kind)
    }
}
