use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;
use sse_core::{ClientId, NameError};

use crate::{Nickname, nickname::fold};

/// How many there may be at the same time.
pub(crate) const MOST: usize = 10_000;

/// Those who have joined and haven't left, by their tokens and by their names.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    joined: u64,
    /// By what they are called in `by_name`.
    by_token: HashMap<String, String>,
    /// By the name in lower case.
    by_name: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    member: Member,
    token: String,
    /// Since when he has had no stream; none while he has one.
    away_since: Option<Instant>,
}

impl Entry {
    fn is_away_for(&self, long: Duration) -> bool {
        self.away_since.is_some_and(|since| since.elapsed() >= long)
    }
}

/// Who has joined.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) who: Who,
    /// What he is called as a client: different each time that somebody joins. Whoever takes a name that was
    /// freed would otherwise read on, by an old last event id, in the private messages of him before.
    pub(crate) client: ClientId,
}

/// Who somebody is for the others: a name alone may be another's later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Who {
    pub(crate) nickname: Nickname,
    /// Different each time that somebody joins.
    #[serde(rename = "member")]
    pub(crate) number: u64,
}

/// Why somebody can't join.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("somebody has this nickname")]
    Taken,
    #[error("the room is full")]
    Full,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("there are no random numbers")]
    Random(#[from] getrandom::Error),
}

impl Members {
    /// Somebody joins; the token by which he is known from now on.
    pub(crate) fn join(&self, nickname: Nickname) -> Result<String, JoinError> {
        let mut token = [0; 16];
        getrandom::fill(&mut token)?;
        let token = format!("{:032x}", u128::from_be_bytes(token));
        let mut state = self.0.lock();
        let name = fold(nickname.as_str());
        if state.by_name.contains_key(&name) {
            return Err(JoinError::Taken);
        }
        if state.by_name.len() >= MOST {
            return Err(JoinError::Full);
        }
        state.joined += 1;
        let number = state.joined;
        let client = ClientId::new(format!("{nickname}#{number}"))?;
        let who = Who { nickname, number };
        let entry = Entry {
            member: Member { who, client },
            token: token.clone(),
            away_since: Some(Instant::now()),
        };
        state.by_token.insert(token.clone(), name.clone());
        state.by_name.insert(name, entry);
        Ok(token)
    }

    /// Whose token it is.
    pub(crate) fn of_token(&self, token: &str) -> Option<Member> {
        let state = self.0.lock();
        let entry = state.by_name.get(state.by_token.get(token)?)?;
        Some(entry.member.clone())
    }

    /// Who is called so, in whatever case.
    pub(crate) fn named(&self, name: &str) -> Option<Member> {
        let state = self.0.lock();
        let entry = state.by_name.get(&fold(name))?;
        Some(entry.member.clone())
    }

    /// Who this client is; nobody once he has left, though his name may be another's by now.
    pub(crate) fn of_client(&self, client: &ClientId) -> Option<Member> {
        let (name, _) = client.as_str().rsplit_once('#')?;
        self.named(name).filter(|member| member.client == *client)
    }

    /// Notes that somebody has a stream, or has had none from now on.
    pub(crate) fn note(&self, whose: &Member, has_stream: bool) {
        let mut state = self.0.lock();
        let entry = state.by_name.get_mut(&fold(whose.who.nickname.as_str()));
        if let Some(entry) = entry.filter(|entry| entry.member.client == whose.client) {
            entry.away_since = (!has_stream).then(Instant::now);
        }
    }

    /// Who has to go for somebody to join by this name, of those who have had no stream for that long: he who
    /// has the name, or, where the room is full, he who has been away longest.
    pub(crate) fn in_the_way(&self, nickname: &Nickname, long: Duration) -> Option<Member> {
        let state = self.0.lock();
        let entry = match state.by_name.get(&fold(nickname.as_str())) {
            Some(entry) => Some(entry),
            None if state.by_name.len() >= MOST => {
                let away = state.by_name.values().filter(|e| e.away_since.is_some());
                away.min_by_key(|entry| entry.away_since)
            }
            None => None,
        };
        let entry = entry.filter(|entry| entry.is_away_for(long))?;
        Some(entry.member.clone())
    }

    /// The exact inverse of [`join`](Self::join): frees the name, and the token is nobody's. `false` if he has
    /// left already.
    pub(crate) fn leave(&self, who: &Member) -> bool {
        let mut state = self.0.lock();
        let name = fold(who.who.nickname.as_str());
        let entry = state.by_name.get(&name);
        if entry.is_none_or(|entry| entry.member.client != who.client) {
            return false;
        }
        if let Some(entry) = state.by_name.remove(&name) {
            state.by_token.remove(&entry.token);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Nickname {
        Nickname::new(name).unwrap()
    }

    #[test]
    fn names_are_taken_whatever_their_case() {
        let members = Members::default();
        let ada = members.join(name("Ada#1")).unwrap();
        let taken = members.join(name("aDA#1"));
        assert!(matches!(taken, Err(JoinError::Taken)), "{taken:?}");
        for (one, same) in [("ÄDA", "äda"), ("ΑΣ", "ασ")] {
            members.join(name(one)).unwrap();
            let taken = members.join(name(same));
            assert!(matches!(taken, Err(JoinError::Taken)), "{taken:?}");
        }
        let found = members.named("ADA#1").unwrap();
        assert_eq!(found.who.nickname.as_str(), "Ada#1", "as it was chosen");
        assert_eq!(found.client, members.of_token(&ada).unwrap().client);
        let same = members.of_client(&found.client).unwrap();
        assert_eq!(same.client, found.client);
    }

    #[test]
    fn who_takes_a_freed_name_is_another() {
        let members = Members::default();
        let first = members.join(name("ada")).unwrap();
        let left = members.of_token(&first).unwrap();
        assert!(members.leave(&left));
        assert!(members.of_token(&first).is_none() && members.named("ada").is_none());
        let second = members.join(name("ADA")).unwrap();
        assert_ne!(first, second);
        assert!(!members.leave(&left), "once");
        assert!(members.of_client(&left.client).is_none());
        let now = members.of_token(&second).unwrap();
        assert_ne!(now.who.number, left.who.number);
        assert!(members.of_client(&now.client).is_some());
    }

    #[test]
    fn those_who_left_take_no_room() {
        let members = Members::default();
        for n in 0..MOST {
            members.join(name(&format!("user {n}"))).unwrap();
            let brief = members.join(name("brief"));
            if n + 1 == MOST {
                assert!(matches!(brief, Err(JoinError::Full)), "{brief:?}");
            } else {
                let brief = members.of_token(&brief.unwrap()).unwrap();
                assert!(members.leave(&brief));
            }
        }
    }

    #[test]
    fn who_is_away_makes_room_for_whoever_needs_it() {
        let members = Members::default();
        let in_the_way = |called, long| {
            let member = members.in_the_way(&name(called), long)?;
            Some(member.who.nickname.to_string())
        };
        for n in 0..MOST {
            assert_eq!(in_the_way("new", Duration::ZERO), None, "there is room");
            members.join(name(&format!("user {n}"))).unwrap();
        }
        members.note(&members.named("user 0").unwrap(), true);
        members.note(&members.named("user 1").unwrap(), true);
        members.note(&members.named("user 1").unwrap(), false);
        assert_eq!(in_the_way("new", Duration::MAX), None);
        let longest = in_the_way("new", Duration::ZERO);
        assert_eq!(longest.as_deref(), Some("user 2"));
        let his = in_the_way("USER 1", Duration::ZERO);
        assert_eq!(his.as_deref(), Some("user 1"));
        assert_eq!(in_the_way("user 0", Duration::ZERO), None, "he is there");
    }
}
