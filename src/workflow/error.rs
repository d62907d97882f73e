//! The one error that edges see. Each edge maps it, without a wildcard, in one place.

use crate::{
    domain::{id::PetitionName, petition::Petition},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked cannot be right; the sentence says what to change.
    #[error("{0}")]
    Invalid(String),
    /// It is not theirs to do; the sentence says why.
    #[error("{0}")]
    Forbidden(String),
    /// Something that is there stands in the way, and repeating changes nothing; the sentence says what.
    #[error("{0}")]
    Conflict(String),
    /// Something outside could not be asked, so nothing was decided or stored; the sentence says to try again.
    #[error("{0}")]
    Unavailable(String),
    #[error("there is no petition {0}")]
    NoSuchPetition(PetitionName),
    /// It was decided or ended before; the petition says by whom.
    #[error("the petition is {}", .0.state.word())]
    WrongState(Box<Petition>),
    /// Earlier claims count only with today's facts of their makers, and some are missing: gather them and try again.
    #[error("facts of earlier reviewers are missing")]
    FactsMissing,
    /// This signed request was answered before; nothing was changed.
    #[error("this request was answered before")]
    Replayed,
    #[error(transparent)]
    Store(#[from] StoreError),
}
