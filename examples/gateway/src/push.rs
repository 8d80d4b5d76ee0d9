//! What a service does that pushes.

use std::fs;

use example_support::say;
use gateway::{
    GrpcSettings,
    proto::{
        self, BroadcastRequest, PushToGroupRequest, PushToUsersRequest, push_client::PushClient,
    },
};
use secrecy::ExposeSecret;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::args::PushArgs;

pub(crate) async fn push(settings: &GrpcSettings, push: &PushArgs) -> Result<(), String> {
    let key = settings.key.as_ref();
    let key = key.map(|key| format!("Bearer {}", key.expose_secret()).parse());
    let key: Option<MetadataValue<Ascii>> = key
        .transpose()
        .map_err(|_| "grpc.key: no text for a header")?;
    let with_key = move |mut request: Request<()>| {
        if let Some(key) = key.clone() {
            request.metadata_mut().insert("authorization", key);
        }
        Ok::<_, Status>(request)
    };
    let mut service = PushClient::with_interceptor(connect(settings).await?, with_key);
    let (event, json_data) = (push.event.clone(), push.data.clone());
    let idempotency_key = String::new();
    let pushed = match &push.group {
        Some(group) => {
            let group = group.clone();
            let request = PushToGroupRequest {
                group,
                event,
                json_data,
                idempotency_key,
            };
            service.push_to_group(request).await
        }
        None if push.users.is_empty() => {
            let request = BroadcastRequest {
                event,
                json_data,
                idempotency_key,
            };
            service.broadcast(request).await
        }
        None => {
            let request = PushToUsersRequest {
                user_ids: push.users.clone(),
                event,
                json_data,
                important: push.important,
                idempotency_key,
            };
            service.push_to_users(request).await
        }
    };
    let pushed = pushed.map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
    let proto::Pushed {
        matched,
        queued,
        passed,
        position,
        ..
    } = pushed.into_inner();
    let taken = queued + passed;
    say(format!(
        "Taken by {taken} of {matched} connections, at {position}"
    ));
    Ok(())
}

async fn connect(settings: &GrpcSettings) -> Result<Channel, String> {
    let address = settings.listen;
    let cannot = |error| format!("no gateway at {address}: {error}");
    let endpoint = match &settings.tls {
        None => Endpoint::from_shared(format!("http://{address}")).map_err(cannot)?,
        Some(tls) if tls.client_ca.is_some() => {
            return Err("the gateway wants a certificate, which this has none of".to_owned());
        }
        Some(tls) => {
            let pem = fs::read(&tls.certificate);
            let pem = pem.map_err(|error| format!("{}: {error}", tls.certificate.display()))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            let endpoint = Endpoint::from_shared(format!("https://{address}")).map_err(cannot)?;
            endpoint
                .tls_config(tls.domain_name("localhost"))
                .map_err(cannot)?
        }
    };
    endpoint.connect().await.map_err(cannot)
}
