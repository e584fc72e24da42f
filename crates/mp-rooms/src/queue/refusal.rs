//! Reasons for which a queue refuses requests and ends parties.

mp_core::reasons! {
    /// The reason for which a request to a queue is refused.
    pub enum QueueRefusal {
        /// The template does not exist.
        UnknownTemplate = "unknown_template" => "there is no such template",
        /// The template has no queue.
        NoQueue = "no_queue" => "the template has no queue",
        /// The queue has its maximum number of players.
        QueueFull = "queue_full" => "the queue is full",
        /// The ticket is not in the queue.
        UnknownTicket = "unknown_ticket" => "the ticket is not in the queue",
        /// The party does not exist, or waits already.
        UnknownParty = "unknown_party" => "there is no such party",
        /// All players of the party have entered.
        PartyFull = "party_full" => "the party is full",
        /// The party has no players, or more than a group.
        InvalidPartySize = "invalid_party_size" => "the party is empty or larger than a group",
        /// The player's identity is restricted to another room than the new one of a group.
        WrongRoom = "wrong_room" => "the token is for a room, not for a queue",
        /// The player's identity does not have the attribute that is its rank, a number.
        NoRank = "no_rank" => "the token has no rank",
        /// The player has a seat or a place in a queue, and the server allows one per player.
        AlreadyMatching = "already_matching" => "you have a seat or a place in a queue already",
        /// The player has no group to confirm.
        NothingToConfirm = "nothing_to_confirm" => "there is no group to confirm",
        /// The node of the cluster that has the queue does not answer.
        Unreachable = "unreachable" => "the server with the queue does not answer",
        /// The server is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

mp_core::reasons! {
    /// The reason for which a party has left a queue.
    pub enum QueueEnd {
        /// A player of the party left.
        Left = "left" => "a player of the party left the queue",
        /// A player of the party has a new seat or place in a queue.
        Replaced = "replaced" => "a player of the party has entered matchmaking again",
        /// A player of the party was banned.
        Removed = "removed" => "a player of the party was removed by the server",
        /// No group was found in time.
        TimedOut = "timed_out" => "no group was found in time",
        /// A player of the party did not confirm in time.
        NotConfirmed = "not_confirmed" => "a player of the party did not confirm in time",
        /// The server is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names() {
        mp_core::testing::assert_labels_are_names::<QueueRefusal>();
        mp_core::testing::assert_labels_are_names::<QueueEnd>();
    }
}
