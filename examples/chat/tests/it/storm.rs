//! Nothing is lost and nothing comes twice, whoever sends, comes, goes and comes back meanwhile.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{Person, Server, assert_increasing, data, id};

const SENDERS: usize = 4;
const EACH: usize = 60;
const READERS: usize = 4;
const NEWCOMERS: usize = 16;

/// What ends a storm, for everybody.
pub(crate) const END: &str = "the end";

/// How long a reader waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Numbers that look like chance, the same each time.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth's, of which the upper half is good.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005) + 1;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// What was sent: the nicknames of both where it was private, by id.
type All = BTreeMap<u64, Option<[String; 2]>>;

/// Reads until the end, cutting the stream after a few events each time; the ids of what came since a history
/// was told last.
pub(crate) async fn read_all(person: Person, mut chance: Chance, cuts: bool) -> Vec<u64> {
    let mut ids: Option<Vec<u64>> = None;
    let mut last = None;
    loop {
        // Its place counts once it knows how things stand.
        let after = last.as_deref().filter(|_| ids.is_some());
        let mut stream = person.stream(after).timeout(PATIENCE).await;
        let most = if cuts { chance.below(12) } else { usize::MAX };
        // Cut by the server, as it may be that falls behind, it comes back too.
        for _ in 0..=most {
            let Some(event) = stream.try_next(PATIENCE).await else {
                break;
            };
            // What comes before any id of a stream that resumes leaves the place as it is.
            if !event.last_event_id.is_empty() {
                last = Some(event.last_event_id.clone());
            }
            let said = match &*event.event {
                "history" => {
                    ids = Some(Vec::new());
                    serde_json::from_value(data(&event)["messages"].take()).unwrap()
                }
                "chat" => vec![data(&event)],
                _ => Vec::new(),
            };
            for message in said {
                let ids = ids.as_mut().expect("a history first");
                ids.push(id(&message));
                assert_increasing(ids);
                if message["text"] == END {
                    return ids.clone();
                }
            }
        }
        if chance.below(2) == 0 {
            stream.reset();
        }
    }
}

/// Sends to everybody and to each of `readers`, until enough is sent and all have come.
async fn send_all(
    person: Person,
    readers: Vec<String>,
    mut chance: Chance,
    have_come: Arc<AtomicBool>,
) -> All {
    let mut all = All::new();
    while all.len() < EACH || !have_come.load(Ordering::SeqCst) {
        let to = readers.get(chance.below(2 * readers.len()));
        let id = match to {
            Some(to) => person.whisper(to, "psst").await,
            None => person.say("hello").await,
        };
        let both = to.map(|to| [person.nickname.clone(), to.clone()]);
        assert_eq!(all.insert(id, both), None, "an id is of one message");
    }
    all
}

/// Everything, through a room that is as busy as can be.
pub(crate) async fn storm(addr: SocketAddr) {
    let mut people = Vec::new();
    for n in 0..READERS + NEWCOMERS {
        people.push(Person::join(addr, &format!("reader {n}")).await);
    }
    let names: Vec<_> = people.iter().map(|p| p.nickname.clone()).collect();
    let mut readers = JoinSet::new();
    let mut expected_of = Vec::new();
    let mut read = |person: &Person, seed: usize, cuts| {
        let chance = Chance(u64::try_from(seed).unwrap());
        let person = person.clone();
        expected_of.push(person.nickname.clone());
        readers.spawn(async move {
            let nickname = person.nickname.clone();
            (nickname, read_all(person, chance, cuts).await)
        });
    };
    for (n, person) in people[..READERS].iter().enumerate() {
        read(person, n, true);
    }
    let (mut senders, have_come) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
    for n in 0..SENDERS {
        let person = Person::join(addr, &format!("sender {n}")).await;
        let chance = Chance(u64::try_from(100 + n).unwrap());
        senders.spawn(send_all(
            person,
            names.clone(),
            chance,
            Arc::clone(&have_come),
        ));
    }
    for (n, person) in people[READERS..].iter().enumerate() {
        read(person, 200 + n, n % 2 == 0);
        // Spread over the storm: each comes when one more has been heard.
        let (mut stream, _) = people[0].open().await;
        stream.next_named("chat").await;
    }
    have_come.store(true, Ordering::SeqCst);
    let mut all = All::new();
    for sent in senders.join_all().await {
        all.extend(sent);
    }
    let host = Person::join(addr, "host").await;
    all.insert(host.say(END).await, None);
    let count = u64::try_from(all.len()).unwrap();
    assert!(all.keys().copied().eq(1..=count), "one after the other");

    let read = readers.join_all().await;
    assert_eq!(read.len(), READERS + NEWCOMERS);
    for (nickname, ids) in read {
        // What is public begins with his history.
        let is_public = |id: &&u64| all[id].is_none();
        let first = ids.iter().find(is_public).expect("the end at least");
        let is_for_him = |(id, both): &(&u64, &Option<[String; 2]>)| match both {
            Some(both) => both.contains(&nickname),
            None => *id >= first,
        };
        let expected: Vec<u64> = all.iter().filter(is_for_him).map(|(id, _)| *id).collect();
        assert_eq!(ids, expected, "{nickname}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_everything_once() {
    storm(Server::start(&[]).await.addr()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_anew_after_a_gap_is_told_once() {
    storm(Server::start(&["--history", "10"]).await.addr()).await;
}
