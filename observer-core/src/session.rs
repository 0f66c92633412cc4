//! What a MySQL session has agreed on and set for itself, as far as it was seen on the wire.

pub mod capability;
