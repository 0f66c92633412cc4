//! The state of a connection, as the sender of a segment has it.

use observer_common::{
    BeforePause, CommandHead, ConnectionState, Direction, DirectionState, MILESTONES, Rare, Tail,
};

/// What is kept of each end.
pub struct Sides<'a> {
    /// What the sender has sent before.
    pub own: &'a mut DirectionState,
    /// What its peer has sent.
    pub peer: &'a mut DirectionState,
    pub own_scale: &'a mut u8,
    pub peer_scale: u8,
    /// The end of what the sender has sent last.
    pub tail: &'a mut Tail,
    /// What is rarely written of the sender.
    pub rare: &'a mut Rare,
    /// What its segment has changed: bits of [`observer_common::transition`].
    pub transitions: &'a mut u32,
}

/// What is kept of the MySQL session.
pub struct Session<'a> {
    /// One of [`observer_common::beginning`].
    pub beginning: &'a mut u8,
    /// One of [`observer_common::awaits`].
    pub awaits_reply: &'a mut u8,
    pub command: &'a mut CommandHead,
    pub milestones: &'a mut [u32; MILESTONES],
    pub before_pause: &'a mut BeforePause,
}

impl<'a> Sides<'a> {
    /// Takes the state apart, for a segment of this direction.
    #[inline(always)]
    pub fn of(state: &'a mut ConnectionState, direction: Direction) -> (Self, Session<'a>) {
        let session = Session {
            beginning: &mut state.beginning,
            awaits_reply: &mut state.awaits_reply,
            command: &mut state.command,
            milestones: &mut state.milestones,
            before_pause: &mut state.before_pause,
        };
        let sides = match direction {
            Direction::Egress => Self {
                own: &mut state.egress,
                peer: &mut state.ingress,
                own_scale: &mut state.egress_scale,
                peer_scale: state.ingress_scale,
                tail: &mut state.egress_tail,
                rare: &mut state.egress_rare,
                transitions: &mut state.egress_transitions,
            },
            Direction::Ingress => Self {
                own: &mut state.ingress,
                peer: &mut state.egress,
                own_scale: &mut state.ingress_scale,
                peer_scale: state.egress_scale,
                tail: &mut state.ingress_tail,
                rare: &mut state.ingress_rare,
                transitions: &mut state.ingress_transitions,
            },
        };
        (sides, session)
    }

    /// The window scales of the sender and of its peer.
    #[inline(always)]
    pub fn scales(&self) -> (u8, u8) {
        (*self.own_scale, self.peer_scale)
    }
}
