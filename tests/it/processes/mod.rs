//! The real binary as child processes, in real time, against the same Slack workspace and production service.

mod commands;
mod crashes;
mod doctor;
mod operators;
mod petitions;
mod replicas;
mod serving;
mod site;
mod socket;
