//! What the tests stand on: fresh databases, an office with a few people in it, and the whole house over real HTTP.

pub mod acts;
#[macro_use]
pub mod databases;
pub mod events;
pub mod house;
pub mod office;
pub mod proxy;
pub mod server;
