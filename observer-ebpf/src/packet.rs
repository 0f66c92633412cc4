//! The packet, as the kernel hands it to a `cgroup_skb` program.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_skb_load_bytes};

/// A packet that passes. It begins with its IP header.
#[derive(Clone, Copy)]
pub struct Packet(*mut __sk_buff);

// The context is valid while the program runs, and so is each read of a field of it.
impl Packet {
    /// The packet of a program's context.
    pub fn new(skb: *mut __sk_buff) -> Self {
        Self(skb)
    }

    /// Begin and end of the part that can be read directly.
    #[inline(always)]
    pub fn bounds(self) -> (usize, usize) {
        // SAFETY: see above.
        unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) }
    }

    /// Length of the whole packet.
    #[inline(always)]
    pub fn len(self) -> u32 {
        // SAFETY: see above.
        unsafe { (*self.0).len }
    }

    /// The local and the remote port of the socket; the remote one is 0 for a listener.
    #[inline(always)]
    pub fn ports(self) -> (u16, u16) {
        // The kernel gives the local port in host order, the remote one in network order (include/uapi/linux/bpf.h).
        // SAFETY: see above.
        unsafe { ((*self.0).local_port as u16, u32::from_be((*self.0).remote_port) as u16) }
    }

    /// The cookie of the socket.
    #[inline(always)]
    pub fn cookie(self) -> u64 {
        // SAFETY: see above.
        unsafe { bpf_get_socket_cookie(self.0.cast()) }
    }

    /// Copies bytes, from wherever in the packet they are.
    ///
    /// # Safety
    ///
    /// `to` has room for `length` bytes.
    #[inline(always)]
    pub unsafe fn copy(self, from: u32, to: *mut u8, length: u32) -> Option<()> {
        // SAFETY: the caller's promise, which the verifier checks.
        (unsafe { bpf_skb_load_bytes(self.0.cast(), from, to.cast(), length) } == 0).then_some(())
    }

    /// Copies `N` bytes.
    #[inline(always)]
    pub fn load<const N: usize>(self, from: u32) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        // SAFETY: `bytes` has room for `N` bytes, and all are written where the copy succeeds.
        unsafe {
            self.copy(from, bytes.as_mut_ptr().cast(), N as u32)?;
            Some(bytes.assume_init())
        }
    }
}

/// A field of the packet's direct part.
///
/// # Safety
///
/// The caller has compared its end with the end of that part; the verifier takes no program that has not.
#[inline(always)]
pub unsafe fn read<T: Copy>(at: usize) -> T {
    // SAFETY: the caller's promise.
    unsafe { *(at as *const T) }
}
