//! The gateway as a user starts it, with a Redis of its own where there is to be one.

mod acks;
mod cli;
mod grpc;
mod heartbeats;
mod http;
mod logs;
mod page;
mod redis;
mod support;
mod tls;
mod tokens;
mod under_way;
