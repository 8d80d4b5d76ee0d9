mod redis;
mod server;

pub(crate) use self::{
    redis::{PASSWORD as REDIS_PASSWORD, Redis, Stopped},
    server::{KEY, PASSWORD, PROGRAM, SECRET, Server, Service, note, write_settings},
};
