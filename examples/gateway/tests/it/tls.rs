//! Services that show who they are by a certificate.

use std::fs;

use gateway::proto::{StatsRequest, push_client::PushClient};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::support::{Server, write_settings};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, in PEM.
fn certified(by: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_certificate_of_the_authority_will_do_and_nothing_else() {
    let (ours, theirs) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path());
    let (certificate, key) = certified(&ours);
    for (name, pem) in [
        ("server.pem", &*certificate),
        ("server.key", &*key),
        ("services.pem", &*ours.pem()),
    ] {
        fs::write(folder.path().join(name), pem).unwrap();
    }
    let settings = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&settings)
        .unwrap()
        .replace("#tls =", "tls =");
    // Without a key: the certificate is enough.
    let text = text.replace("\nkey = ", "\n#key = ");
    fs::write(&settings, text).unwrap();
    let server = Server::start_in(folder, &[]).await;
    let uri = format!("https://localhost:{}", server.grpc.port());
    let ask = async |identity: Option<(String, String)>| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ours.pem()));
        let tls = match identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        let endpoint = Channel::from_shared(uri.clone()).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await;
        let channel = channel.map_err(|error| error.to_string())?;
        let stats = PushClient::new(channel).stats(StatsRequest {}).await;
        stats.map(drop).map_err(|status| status.to_string())
    };
    assert_eq!(ask(Some(certified(&ours))).await, Ok(()));
    assert!(ask(None).await.is_err());
    assert!(ask(Some(certified(&theirs))).await.is_err());
    let plain = Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    if let Ok(channel) = plain.connect().await {
        assert!(
            PushClient::new(channel)
                .stats(StatsRequest {})
                .await
                .is_err()
        );
    }
}
