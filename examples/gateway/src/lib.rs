//! Push for other services: streams for whoever has a token, events by gRPC.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod gateway;
mod grants;
mod grpc;
mod heartbeat;
mod mailbox;
mod monitor;
mod page;
mod poem_app;
mod settings;
mod store;
mod tokens;
mod users;

pub use gateway::{Gateway, StartError};
pub use grpc::Grpc;
pub use monitor::monitor;
pub use poem_app::app;
pub use settings::{
    GrpcSettings, HttpSettings, ImportantSettings, Settings, SettingsError, TlsSettings,
    TokenSettings,
};
pub use tokens::Tokens;
pub use users::{Users, UsersError, hash};

/// The gRPC service, generated from `proto/push.proto`, which says what it does.
pub mod proto {
    #![allow(
        clippy::all,
        clippy::clone_on_ref_ptr,
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        reason = "it is generated"
    )]
    tonic::include_proto!("gateway.v1");
}
