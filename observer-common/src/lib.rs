//! Plain old data that crosses the boundary between the kernel programs and the observer.
#![no_std]
