//! What was published and what came, and how the two compare.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use sse_core::Position;

#[cfg(test)]
use crate::cast::{Kind, cast};
use crate::cast::{Member, client_at};

/// Whom an event was published for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    Client(String),
    Group(String),
    Everybody,
}

impl To {
    fn is_for(&self, member: &Member) -> bool {
        match self {
            Self::Client(client) => *client == member.client,
            Self::Group(group) => *group == member.group,
            Self::Everybody => true,
        }
    }
}

/// An event that was published. No two have the same data.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) to: To,
    pub(crate) data: String,
    /// Its own; else it has that of its position.
    pub(crate) id: Option<String>,
    pub(crate) position: Option<Position>,
}

/// An event as a client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

/// What a script tells of an event: its stream's path, its name, its id and its data.
pub(crate) type Row = (String, String, String, String);

/// What was published under this name is compared; the rest are the library's own, and the end.
pub(crate) const ITEM: &str = "item";
/// What is published last.
pub(crate) const END: &str = "end";
/// What a script says of a stream that isn't opened again.
const GIVEN_UP: &str = "given-up";

#[derive(Debug)]
pub(crate) struct Ledger {
    cast: Vec<Member>,
    sent: Mutex<Vec<Sent>>,
    got: Mutex<BTreeMap<String, Vec<Got>>>,
}

impl Ledger {
    pub(crate) fn new(cast: &[Member]) -> Self {
        Self {
            cast: cast.to_vec(),
            sent: Mutex::default(),
            got: Mutex::default(),
        }
    }

    pub(crate) fn cast(&self) -> &[Member] {
        &self.cast
    }

    pub(crate) fn sent(&self, sent: Sent) {
        self.sent.lock().push(sent);
    }

    pub(crate) fn sent_count(&self) -> usize {
        self.sent.lock().len()
    }

    pub(crate) fn got(&self, client: &str, got: Got) {
        let mut all = self.got.lock();
        all.entry(client.to_owned()).or_default().push(got);
    }

    /// Takes what a script tells of an event.
    pub(crate) fn got_row(&self, (path, event, id, data): Row) {
        let client = client_at(&path).unwrap_or_else(|| panic!("{path} is no stream's"));
        assert_ne!(event, GIVEN_UP, "{client} doesn't come back: {data}");
        self.got(client, Got { event, id, data });
    }

    /// Whether every client has got an event of this name.
    pub(crate) fn all_got(&self, event: &str) -> bool {
        let got = self.got.lock();
        self.cast.iter().all(|member| {
            let of_member = got.get(&member.client);
            of_member.is_some_and(|got| got.iter().any(|got| got.event == event))
        })
    }

    /// How what came compares with what was published.
    pub(crate) fn verdict(&self) -> Verdict {
        let (mut sent, got) = (self.sent.lock(), self.got.lock());
        // Several tasks have published: positions say what came first.
        sent.sort_by_key(|sent| sent.position.map(Position::sequence));
        let mut verdict = Verdict::default();
        for member in &self.cast {
            let for_it: Vec<&Sent> = sent.iter().filter(|sent| sent.to.is_for(member)).collect();
            let empty = Vec::new();
            verdict.judge(member, &for_it, got.get(&member.client).unwrap_or(&empty));
        }
        verdict
    }
}

/// What is wrong, in numbers of events.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Events that clients got, each time that they did.
    pub(crate) got: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) out_of_order: usize,
    /// Events for somebody else.
    pub(crate) astray: usize,
    pub(crate) wrong_ids: usize,
    pub(crate) gaps: usize,
    /// What is wrong, as far as the first few things go.
    pub(crate) first: Vec<String>,
}

const FIRST: usize = 10;

impl Verdict {
    pub(crate) fn is_flawless(&self) -> bool {
        let got = self.got;
        *self
            == Self {
                got,
                ..Self::default()
            }
    }

    fn judge(&mut self, member: &Member, sent: &[&Sent], got: &[Got]) {
        let places = sent.iter().enumerate();
        let places: HashMap<&str, usize> = places.map(|(n, sent)| (&*sent.data, n)).collect();
        let mut times = vec![0; sent.len()];
        let mut last = None;
        let is_gap = |got: &&Got| got.event == "gap";
        self.gaps += got.iter().filter(is_gap).count();
        for Got { id, data, .. } in got.iter().filter(|got| got.event == ITEM) {
            self.got += 1;
            let Some(&place) = places.get(&**data) else {
                self.astray += 1;
                self.tell(member, "astray", data);
                continue;
            };
            let Sent {
                id: own, position, ..
            } = sent[place];
            times[place] += 1;
            if times[place] > 1 {
                self.doubled += 1;
                self.tell(member, "doubled", data);
            } else if position.is_some() && last.is_some_and(|last| place < last) {
                self.out_of_order += 1;
                self.tell(member, "out of order", data);
            } else {
                last = Some(place);
            }
            let expected = own
                .clone()
                .or_else(|| position.map(|position| position.to_string()));
            if expected.is_some_and(|expected| *id != expected) {
                self.wrong_ids += 1;
                self.tell(member, &format!("the id {id:?}"), data);
            }
        }
        for (_, sent) in times.iter().zip(sent).filter(|(times, _)| **times == 0) {
            self.lost += 1;
            self.tell(member, "lost", &sent.data);
        }
    }

    fn tell(&mut self, member: &Member, what: &str, data: &str) {
        if self.first.len() < FIRST {
            let start: String = data.chars().take(20).collect();
            let client = &member.client;
            self.first.push(format!("{client}: {what}: {start:?}"));
        }
    }
}

#[test]
fn everything_that_can_be_wrong_is_found() {
    let members = cast(&[Kind::Rust]);
    let [ada, bob, ..] = &members[..] else {
        panic!("two at least");
    };
    let ledger = Ledger::new(&members[..1]);
    let position = |n| Position::new(7, n);
    let to = |member: &Member| To::Client(member.client.clone());
    // In the ledger in any order.
    for (n, to) in [
        (2, To::Everybody),
        (1, to(ada)),
        (3, To::Group(ada.group.clone())),
        (4, to(bob)),
        (5, To::Group(bob.group.clone())),
        (6, To::Everybody),
    ] {
        ledger.sent(Sent {
            to,
            data: n.to_string(),
            id: (n == 6).then(|| "own".to_owned()),
            position: Some(position(n)),
        });
    }
    let got = |event: &str, n, id: String| {
        let (event, data) = (event.to_owned(), u64::to_string(&n));
        ledger.got(&ada.client, Got { event, id, data });
    };
    let item = |n| got(ITEM, n, position(n).to_string());
    item(1);
    item(2);
    item(3);
    let all_but_the_last = ledger.verdict();
    assert_eq!((all_but_the_last.got, all_but_the_last.lost), (3, 1));
    got(ITEM, 6, "own".to_owned());
    assert!(ledger.verdict().is_flawless(), "{:?}", ledger.verdict());

    item(2);
    item(4);
    got("gap", 0, String::new());
    let verdict = ledger.verdict();
    let Verdict {
        doubled,
        astray,
        gaps,
        ..
    } = verdict;
    assert_eq!((doubled, astray, gaps), (1, 1, 1));
    assert_eq!(
        verdict.first,
        [r#"rust-0: doubled: "2""#, r#"rust-0: astray: "4""#]
    );

    let late = Ledger::new(&members[..1]);
    for n in [1, 2] {
        late.sent(Sent {
            to: To::Everybody,
            data: n.to_string(),
            id: None,
            position: Some(position(n)),
        });
    }
    for n in [2, 1] {
        let (event, data) = (ITEM.to_owned(), n.to_string());
        let id = position(2).to_string();
        late.got(&ada.client, Got { event, id, data });
    }
    let Verdict {
        out_of_order,
        wrong_ids,
        lost,
        ..
    } = late.verdict();
    assert_eq!((out_of_order, wrong_ids, lost), (1, 1, 0));
}
