use std::collections::HashMap;

use parking_lot::Mutex;
use sse_core::{ClientId, NameError};

use crate::Nickname;

/// How many there may be at the same time.
const MOST: usize = 10_000;

/// Those who have joined and haven't left, by their tokens and by their names.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    joined: u64,
    by_token: HashMap<String, Member>,
    /// By the name in lower case.
    by_name: HashMap<String, Member>,
}

/// Who has joined.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) nickname: Nickname,
    /// What he is called as a client: different each time that somebody joins. Whoever takes a name that was
    /// freed would otherwise read on, by an old last event id, in the private messages of him before.
    pub(crate) client: ClientId,
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
        let name = nickname.as_str().to_lowercase();
        if state.by_name.contains_key(&name) {
            return Err(JoinError::Taken);
        }
        if state.by_name.len() >= MOST {
            return Err(JoinError::Full);
        }
        state.joined += 1;
        let client = ClientId::new(format!("{nickname}#{}", state.joined))?;
        let member = Member { nickname, client };
        state.by_token.insert(token.clone(), member.clone());
        state.by_name.insert(name, member);
        Ok(token)
    }

    /// Whose token it is.
    pub(crate) fn of_token(&self, token: &str) -> Option<Member> {
        self.0.lock().by_token.get(token).cloned()
    }

    /// Who is called so, in whatever case.
    pub(crate) fn named(&self, name: &str) -> Option<Member> {
        self.0.lock().by_name.get(&name.to_lowercase()).cloned()
    }

    /// Who this client is; nobody once he has left, though his name may be another's by now.
    pub(crate) fn of_client(&self, client: &ClientId) -> Option<Member> {
        let (name, _) = client.as_str().rsplit_once('#')?;
        self.named(name).filter(|member| member.client == *client)
    }

    /// The exact inverse of [`join`](Self::join): frees the name, and the token is nobody's.
    pub(crate) fn leave(&self, token: &str) -> Option<Member> {
        let mut state = self.0.lock();
        let member = state.by_token.remove(token)?;
        let name = member.nickname.as_str().to_lowercase();
        state.by_name.remove(&name);
        Some(member)
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
        members.join(name("ÄDA")).unwrap();
        assert!(matches!(members.join(name("äda")), Err(JoinError::Taken)));
        let found = members.named("ADA#1").unwrap();
        assert_eq!(found.nickname.as_str(), "Ada#1", "as it was chosen");
        assert_eq!(found.client, members.of_token(&ada).unwrap().client);
        let same = members.of_client(&found.client).unwrap();
        assert_eq!(same.client, found.client);
    }

    #[test]
    fn who_takes_a_freed_name_is_another() {
        let members = Members::default();
        let first = members.join(name("ada")).unwrap();
        let left = members.leave(&first).unwrap();
        assert!(members.leave(&first).is_none());
        assert!(members.of_token(&first).is_none() && members.named("ada").is_none());
        let second = members.join(name("ADA")).unwrap();
        assert_ne!(first, second);
        assert!(members.of_client(&left.client).is_none());
        let now = members.of_token(&second).unwrap();
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
                assert!(members.leave(&brief.unwrap()).is_some());
            }
        }
    }
}
