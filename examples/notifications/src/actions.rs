//! What an application does with the hub: each a `POST` of its own, with JSON.

use std::fmt::Display;

use bytes::Buf;
use futures_util::Stream;
use http::HeaderMap;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sse_core::{ClientId, Event, EventBuilder, GroupName, Target};

use crate::{
    answer::{Answer, Refusal, Sent},
    api::read_object,
    app::App,
    draining::before_draining,
};

/// A note to a user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notify {
    user: String,
    title: String,
    content: String,
}

/// A message from one user to another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    from: String,
    to: String,
    text: String,
}

/// How far an upload or a task of a user has come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    user: String,
    kind: ProgressKind,
    task: String,
    percent: u8,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProgressKind {
    Upload,
    Task,
}

/// That a user follows an item, or doesn't any more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Follow {
    user: String,
    item: String,
}

/// What has changed about an item.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    item: String,
    kind: UpdateKind,
    data: Value,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UpdateKind {
    Rank,
    Data,
}

/// A text to everybody, or to the administrators.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

/// Who the friends of a user are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendsOf {
    user: String,
    friends: Vec<String>,
}

/// Does what the last segment of the path says.
pub(crate) async fn act<B, E>(
    app: &App,
    action: &str,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, E>> + Send,
) -> Result<Answer, Refusal>
where
    B: Buf + Send,
    E: Display + Send,
{
    let body = read_object(headers, body).await?;
    before_draining(&app.hub, act_on(app, action, &body)).await
}

async fn act_on(app: &App, action: &str, body: &[u8]) -> Result<Answer, Refusal> {
    match action {
        "notify" => notify(app, read(body)?).await,
        "message" => message(app, read(body)?).await,
        "progress" => progress(app, read(body)?).await,
        "follow" => follow(app, read(body)?).await,
        "unfollow" => unfollow(app, read(body)?).await,
        "update" => update(app, read(body)?).await,
        "maintenance" => maintenance(app, read(body)?).await,
        "alert" => alert(app, read(body)?).await,
        "friends" => friends(app, read(body)?),
        _ => Err(Refusal::NotFound),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    Ok(serde_json::from_slice(body)?)
}

async fn notify(app: &App, it: Notify) -> Result<Answer, Refusal> {
    let data = json!({ "title": it.title, "content": it.content });
    let event = Event::json(&data).event("notification");
    publish(app, Target::client(client(it.user)?), event).await
}

async fn message(app: &App, it: Message) -> Result<Answer, Refusal> {
    let (from, to) = (client(it.from)?, client(it.to)?);
    let data = json!({ "from": from, "text": it.text });
    publish(
        app,
        Target::client(to),
        Event::json(&data).event("new_message"),
    )
    .await
}

/// Of a task only the newest is of use: where an older one still waits for a slow page, it takes its
/// place.
async fn progress(app: &App, it: Progress) -> Result<Answer, Refusal> {
    if it.percent > 100 {
        return Err(Refusal::field("percent", "more than 100"));
    }
    let kind = match it.kind {
        ProgressKind::Upload => "upload",
        ProgressKind::Task => "task",
    };
    let data = json!({ "kind": kind, "task": it.task, "percent": it.percent });
    let event = Event::json(&data)
        .event("progress")
        .conflation_key(format!("{kind} {}", it.task));
    publish(app, Target::client(client(it.user)?), event).await
}

async fn follow(app: &App, it: Follow) -> Result<Answer, Refusal> {
    let (user, item) = (client(it.user)?, item(it.item)?);
    app.follows.add(&user, item.clone())?;
    let joined = app.hub.join_client(user, item).await?;
    Ok(Answer::json(&json!({ "connections": joined })))
}

async fn unfollow(app: &App, it: Follow) -> Result<Answer, Refusal> {
    let (user, item) = (client(it.user)?, item(it.item)?);
    let left = match app.follows.remove(&user, &item) {
        true => app.hub.leave_client(user, item).await?,
        false => 0,
    };
    Ok(Answer::json(&json!({ "connections": left })))
}

async fn update(app: &App, it: Update) -> Result<Answer, Refusal> {
    let name = match it.kind {
        UpdateKind::Rank => "rank_update",
        UpdateKind::Data => "data_update",
    };
    let data = json!({ "item": it.item, "data": it.data });
    let event = Event::json(&data).event(name);
    let followers = item(it.item)?;
    publish(app, Target::group(followers), event).await
}

async fn maintenance(app: &App, it: Text) -> Result<Answer, Refusal> {
    let event = Event::json(&json!({ "text": it.text })).event("maintenance");
    publish(app, Target::everybody(), event).await
}

async fn alert(app: &App, it: Text) -> Result<Answer, Refusal> {
    let event = Event::json(&json!({ "text": it.text })).event("alert");
    publish(app, Target::group(GroupName::new("admins")?), event).await
}

fn friends(app: &App, it: FriendsOf) -> Result<Answer, Refusal> {
    let friends: Result<Vec<_>, _> = it.friends.into_iter().map(client).collect();
    let friends = friends?;
    let count = friends.len();
    app.friends.set(client(it.user)?, friends)?;
    Ok(Answer::json(&json!({ "friends": count })))
}

async fn publish(app: &App, target: Target, event: EventBuilder) -> Result<Answer, Refusal> {
    let receipt = app.hub.publish(target, event).await?;
    Ok(Answer::json(&Sent::of(&receipt).await?))
}

fn client(name: String) -> Result<ClientId, Refusal> {
    ClientId::new(name).map_err(|error| Refusal::field("user", error))
}

/// The group of those who follow an item, such as `item:challenge_42`: none that a stream is opened in, nor
/// that of the administrators.
fn item(name: String) -> Result<GroupName, Refusal> {
    if name.is_empty() {
        return Err(Refusal::field("item", "is empty"));
    }
    GroupName::new(format!("item:{name}")).map_err(|error| Refusal::field("item", error))
}
