//! What is asked, and what is refused.

use serde_json::{Value, json};
use sse_conformance::{Response, StreamClient, request};

use crate::{Person, Server, chat, chats_until, data, member};

fn error_of(response: &Response) -> String {
    assert_eq!(
        response.headers["content-type"],
        "application/json; charset=utf-8"
    );
    let error = response.json::<Value>()["error"].take();
    error.as_str().expect("an error").to_owned()
}

#[tokio::test]
async fn a_nickname_is_ones_own_until_one_leaves() {
    let server = Server::start(&[]).await;
    let join = async |nickname: &str| {
        let body = json!({ "nickname": nickname }).to_string();
        request(server.addr(), "POST", "/join", &[], body).await
    };
    let ada = server.join("Ada").await;
    for taken in ["Ada", "ada", "ADA"] {
        let refused = join(taken).await;
        assert_eq!(refused.status, 409, "{taken}");
        assert_eq!(error_of(&refused), "somebody has this nickname");
    }
    let longest = "🦀".repeat(32);
    for odd in ["<b>", "\"'&", "שלום", "a b", "größe", "a#1", "~x", &longest] {
        let odd = server.join(odd).await;
        let (mut stream, _) = odd.open().await;
        odd.whisper(&odd.nickname, "me").await;
        let message = chat(&mut stream).await;
        assert_eq!(message["from"], odd.nickname);
        assert_eq!(message["to"], odd.nickname);
    }
    let too_long = format!("{longest}x");
    for not_one in [
        "",
        " ",
        " a",
        "a\t",
        "a\u{a0}",
        "a\nb",
        "a\0",
        "\u{9f}",
        "a\u{200b}",
        &too_long,
    ] {
        let refused = join(not_one).await;
        assert_eq!(refused.status, 422, "{not_one:?}");
        error_of(&refused);
    }
    ada.leave().await;
    let again = server.join("aDA").await;
    assert_ne!(again.token, ada.token);
    assert_eq!(ada.post("/send", &json!({ "text": "x" })).await.status, 401);
}

#[tokio::test]
async fn a_token_proves_who_it_is() {
    let server = Server::start(&[]).await;
    let (ada, addr) = (server.join("ada").await, server.addr());
    let right = format!("Bearer {}", ada.token);
    for (method, path) in [
        ("GET", "/events"),
        ("HEAD", "/events"),
        ("POST", "/send"),
        ("POST", "/read"),
        ("POST", "/leave"),
    ] {
        for authorization in [None, Some("Bearer x"), Some("Basic x"), Some("Bearer")] {
            // The header wins over the query.
            let path = match authorization {
                Some(_) => format!("{path}?token={}", ada.token),
                None => format!("{path}?token="),
            };
            let headers = authorization.map(|value| ("authorization", value));
            let refused = request(addr, method, &path, headers.as_slice(), "{}").await;
            assert_eq!(refused.status, 401, "{method} {path} {authorization:?}");
            assert_eq!(refused.headers["www-authenticate"], "Bearer");
            if method != "HEAD" {
                error_of(&refused);
            }
        }
    }
    let by_header = StreamClient::open(addr, "/events?token=x");
    let mut by_header = by_header.header("authorization", &right).await;
    let connected = data(&by_header.next_event().await);
    assert_eq!(connected["client_id"], "ada#1");
    let head = request(addr, "HEAD", "/events", &[("authorization", &right)], "").await;
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-type"], "text/event-stream");
}

#[tokio::test]
async fn what_is_sent_is_answered_with_its_place() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let sent = ada.post("/send", &json!({ "text": "nobody?" })).await;
    let sent = sent.json::<Value>();
    assert_eq!((&sent["id"], &sent["queued"]), (&json!(1), &json!(0)));
    assert!(sent["time"].as_str().unwrap().ends_with('Z'), "{sent}");
    let (mut adas, _) = ada.open().await;
    let (_bobs, _) = bob.open().await;
    let sent = ada.post("/send", &json!({ "text": "all" })).await;
    assert_eq!(sent.json::<Value>()["queued"], 2);
    let sent = bob
        .post("/send", &json!({ "text": "x", "to": "ADA" }))
        .await;
    let sent = sent.json::<Value>();
    assert_eq!((&sent["id"], &sent["queued"]), (&json!(3), &json!(2)));
    chat(&mut adas).await;
    let got = chat(&mut adas).await;
    let expected = json!({
        "id": 3, "from": "bob", "to": "ada", "text": "x", "time": sent["time"],
    });
    assert_eq!(got, expected);
    assert_eq!(ada.read(2).await, 1);
    assert_eq!(ada.read(3).await, 0);
    assert_eq!(ada.read(u64::MAX).await, 0);
    assert_eq!(bob.read(1).await, 0);
}

#[tokio::test]
async fn what_is_meant_for_one_doesnt_go_to_another_of_his_name() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut adas, _) = ada.open().await;
    let joined = data(&adas.next_named("system").await);
    assert_eq!(
        (joined["nickname"].as_str(), member(&joined)),
        (Some("ada"), 1)
    );
    let _bobs = bob.open().await;
    let joined = data(&adas.next_named("system").await);
    assert_eq!(joined["nickname"], "bob");
    let (_, fresh) = ada.open().await;
    assert_eq!((&*fresh.nicknames[1], fresh.members[1]), ("bob", 2));
    let for_bob = json!({ "text": "for bob", "to": "bob", "member": member(&joined) });
    ada.said(&for_bob).await;
    bob.leave().await;
    let left = data(&adas.next_named("system").await);
    assert_eq!(left["type"], "leave");
    assert_eq!(member(&left), 2);
    assert_eq!(ada.post("/send", &for_bob).await.status, 404);

    let mallory = server.join("BOB").await;
    let (mut mallorys, _) = mallory.open().await;
    let joined = data(&adas.next_named("system").await);
    let refused = ada.post("/send", &for_bob).await;
    assert_eq!(refused.status, 404);
    assert_eq!(error_of(&refused), "somebody else is called so now");
    let for_her = json!({ "text": "for her", "to": "bob", "member": member(&joined) });
    ada.said(&for_her).await;
    ada.say("end").await;
    let chats = chats_until(&mut mallorys, "end").await;
    let texts: Vec<_> = chats.iter().map(|chat| &chat["text"]).collect();
    assert_eq!(texts, ["for her"]);
}

#[tokio::test]
async fn one_has_eight_streams() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(ada.open().await);
    }
    let mut ninth = ada.stream(None).await;
    assert_eq!(ninth.next_event().await.event, "refused");
    ninth.ended().await;
    bob.open().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let server = Server::start(&[]).await;
    let ada = server.join("ada").await;
    let token = format!("Bearer {}", ada.token);
    let json_type = "application/json";
    let large = json!({ "text": "x".repeat(70_000) }).to_string();
    let too_long = json!({ "text": "ä".repeat(2_001) }).to_string();
    for (method, path, content_type, body, status) in [
        ("GET", "/join", json_type, "", 405),
        ("GET", "/send", json_type, "", 405),
        ("HEAD", "/send", json_type, "", 405),
        ("DELETE", "/read", json_type, "", 405),
        ("PUT", "/leave", json_type, "", 405),
        ("POST", "/events", json_type, "{}", 405),
        ("POST", "/", json_type, "{}", 405),
        ("POST", "/app.js", json_type, "{}", 405),
        ("GET", "/nothing", json_type, "", 404),
        ("GET", "/events/", json_type, "", 404),
        ("POST", "/send/", json_type, r#"{"text":"x"}"#, 404),
        ("POST", "/join/x", json_type, r#"{"nickname":"x"}"#, 404),
        ("POST", "//send", json_type, r#"{"text":"x"}"#, 404),
        ("POST", "/send", "text/plain", r#"{"text":"x"}"#, 415),
        ("POST", "/join", "text/plain", r#"{"nickname":"x"}"#, 415),
        ("POST", "/read", "", r#"{"id":1}"#, 415),
        ("POST", "/send", json_type, &large, 413),
        ("POST", "/send", json_type, "", 400),
        ("POST", "/send", json_type, "{", 400),
        ("POST", "/send", json_type, r#"{"text":"\ud800"}"#, 400),
        ("POST", "/join", json_type, "x", 400),
        ("POST", "/read", json_type, "{'id':1}", 400),
        ("POST", "/send", json_type, "{}", 422),
        ("POST", "/send", json_type, r#"["x"]"#, 422),
        ("POST", "/send", json_type, "null", 422),
        ("POST", "/send", json_type, r#"{"text":""}"#, 422),
        ("POST", "/send", json_type, &too_long, 422),
        ("POST", "/send", json_type, r#"{"text":1}"#, 422),
        ("POST", "/send", json_type, r#"{"text":"x","to":7}"#, 422),
        (
            "POST",
            "/send",
            json_type,
            r#"{"text":"x","all":true}"#,
            422,
        ),
        (
            "POST",
            "/send",
            json_type,
            r#"{"text":"x","text":"y"}"#,
            422,
        ),
        (
            "POST",
            "/send",
            json_type,
            r#"{"text":"x","member":1}"#,
            422,
        ),
        (
            "POST",
            "/send",
            json_type,
            r#"{"text":"x","to":"ada","member":"1"}"#,
            422,
        ),
        ("POST", "/join", json_type, r#"{"nickname":null}"#, 422),
        ("POST", "/join", json_type, r#"{"nickname":"x","y":1}"#, 422),
        ("POST", "/read", json_type, r#"{"id":-1}"#, 422),
        ("POST", "/read", json_type, r#"{"id":1.5}"#, 422),
        ("POST", "/read", json_type, r#"{"id":"1"}"#, 422),
        (
            "POST",
            "/send",
            json_type,
            r#"{"text":"x","to":"eve"}"#,
            404,
        ),
        ("POST", "/send", json_type, r#"{"text":"x","to":""}"#, 404),
    ] {
        let mut headers = vec![("authorization", &*token)];
        if !content_type.is_empty() {
            headers.push(("content-type", content_type));
        } else {
            headers.push(("content-type", "application/octet-stream"));
        }
        let refused = request(server.addr(), method, path, &headers, body).await;
        assert_eq!(refused.status, status, "{method} {path} {body:.60}");
        if method != "HEAD" {
            error_of(&refused);
        }
        if status == 405 {
            let allow = refused.headers["allow"].to_str().unwrap();
            let posts = ["/join", "/send", "/read", "/leave"].contains(&path);
            assert_eq!(allow, if posts { "POST" } else { "GET, HEAD" }, "{path}");
        }
    }
    // Nothing of it was done.
    assert_eq!(ada.say("first").await, 1);
    let nobody = Person {
        token: String::new(),
        ..ada
    };
    let refused = nobody.post("/send", &json!({})).await;
    assert_eq!(refused.status, 401, "before the body is looked at");
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = Server::start(&[]).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/base.css", "text/css; charset=utf-8"),
    ] {
        let file = request(server.addr(), "GET", path, &[], "").await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.headers["content-type"], content_type);
        assert!(!file.text().contains("http://"), "{path}");
    }
}
