//! Connections that end in several ways at once, those who wait for it, and those who are told.

use std::time::Duration;

use shuttle::thread;

use super::{empties, hub, next, read, still, subscribe, text};
use crate::{
    ConnectionHandle, Hub, ManualClock, MembershipError, OutcomeError, Presence, PresenceNotice,
    PublishError, Target,
    models::{check, spawn, wait},
};

fn waits_for_end(handle: &ConnectionHandle) -> shuttle::future::JoinHandle<()> {
    let handle = handle.clone();
    spawn(async move { handle.closed().await })
}

/// What is told of one connection: that it is there, in and out of a group in turn, that it is
/// gone; or nothing of all that.
fn is_told_in_order(mut presence: Presence) {
    let mut told = Vec::new();
    while let Some(notice) = wait(presence.next()) {
        told.push(notice);
    }
    let Some((first, rest)) = told.split_first() else {
        return;
    };
    let PresenceNotice::Connected { groups, .. } = first else {
        panic!("{told:?}");
    };
    let mut inside = groups.len() == 2;
    let (last, between) = rest.split_last().expect("it is gone");
    assert!(
        matches!(last, PresenceNotice::Disconnected { .. }),
        "{told:?}"
    );
    for notice in between {
        let joined = matches!(notice, PresenceNotice::Joined { .. });
        assert!(
            joined || matches!(notice, PresenceNotice::Left { .. }),
            "{told:?}"
        );
        assert_ne!(joined, inside, "{told:?}");
        inside = joined;
    }
}

/// A connection that is read, joins and leaves, and ends by its reader's end, by a disconnect, by
/// `also`, or by all of them.
fn ends_once(also: fn(&Hub, &ManualClock)) {
    check(move || {
        let clock = ManualClock::new();
        let (hub, registry) = hub(Hub::builder().clock(clock.clone()));
        let presence = hub.presence();
        let subscription = subscribe(&hub, "ada");
        let handle = subscription.handle();
        let waiting = [(), ()].map(|()| waits_for_end(&handle));
        let reader = thread::spawn(move || {
            let mut body = subscription.into_body();
            assert!(matches!(
                wait(next(&mut body)).as_deref(),
                None | Some([_, ..])
            ));
        });
        let member = spawn({
            let handle = handle.clone();
            async move {
                let changes = [handle.join("some").await, handle.leave("some").await];
                for change in changes {
                    assert!(matches!(
                        change,
                        Ok(true) | Err(MembershipError::Unknown(_) | MembershipError::Closed)
                    ));
                }
            }
        });
        let other = thread::spawn({
            let hub = hub.clone();
            move || also(&hub, &clock)
        });
        hub.disconnect(&Target::connection(handle.id()));
        reader.join().unwrap();
        for waits in waiting {
            wait(waits).unwrap();
        }
        wait(waits_for_end(&handle)).unwrap();
        wait(member).unwrap();
        other.join().unwrap();
        empties(&registry);
        let info = hub.info();
        let ended = info.ended;
        assert_eq!(
            ended.client_gone + ended.disconnected + ended.stalled + ended.unread,
            1
        );
        assert_eq!((info.connections, info.lost), (0, 0));
        drop(hub);
        is_told_in_order(presence);
    });
}

#[test]
fn a_connection_that_is_disconnected_and_dropped_ends_once() {
    ends_once(|_, _| {});
}

#[test]
fn a_connection_that_is_reaped_at_the_same_time_ends_once() {
    ends_once(|_, clock| clock.advance(Duration::from_secs(200)));
}

#[test]
fn a_connection_that_is_published_to_at_the_same_time_ends_once() {
    ends_once(|hub, _| {
        let receipt = wait(hub.send_to("ada", text("a"))).unwrap();
        let delivery = wait(receipt.outcome()).unwrap();
        assert_eq!(delivery.matched, delivery.queued + delivery.closed);
    });
}

#[test]
fn the_end_of_the_last_handle_is_the_end_of_all() {
    check(|| {
        let (hub, registry) = hub(still());
        let presence = hub.presence();
        let subscription = subscribe(&hub, "ada");
        let handle = subscription.handle();
        let waits = waits_for_end(&handle);
        let reader = spawn(read(subscription.into_body()));
        let late = thread::spawn({
            let hub = hub.clone();
            move || {
                let body = subscribe(&hub, "ada").into_body();
                drop(hub);
                body
            }
        });
        let sender = spawn(async move {
            match handle.send(text("a")).await {
                Ok(receipt) => match receipt.outcome().await {
                    Ok(delivery) => delivery.queued,
                    Err(OutcomeError::Closed) => 0,
                    Err(error) => panic!("{error}"),
                },
                Err(PublishError::Closed) => 0,
                Err(error) => panic!("{error}"),
            }
        });
        drop(hub);
        let late = wait(read(late.join().unwrap()));
        assert_eq!(late, ["connected"]);
        wait(waits).unwrap();
        let (sent, read) = (wait(sender).unwrap(), wait(reader).unwrap());
        assert!(read.len() <= 1 + sent as usize, "{read:?} {sent}");
        empties(&registry);
        drop(presence);
    });
}

#[test]
fn whoever_goes_as_the_hub_ends_is_taken_out() {
    check(|| {
        let (hub, registry) = hub(still());
        let bodies = ["ada", "bob"].map(|client| subscribe(&hub, client).into_body());
        let gone = bodies.map(|body| thread::spawn(move || drop(body)));
        drop(hub);
        for gone in gone {
            gone.join().unwrap();
        }
        empties(&registry);
    });
}

#[test]
fn a_heartbeat_comes_when_it_is_due() {
    check(|| {
        let clock = ManualClock::new();
        let (hub, registry) = hub(Hub::builder().clock(clock.clone()));
        let readers = ["ada", "bob"].map(|client| {
            let mut body = subscribe(&hub, client).into_body();
            // Idle once its opening event is read.
            assert_eq!(wait(next(&mut body)).unwrap(), ["connected"]);
            spawn(async move { next(&mut body).await })
        });
        let late = thread::spawn({
            let hub = hub.clone();
            move || drop(subscribe(&hub, "eve"))
        });
        clock.advance(Duration::from_secs(31));
        for reader in readers {
            assert_eq!(wait(reader).unwrap().unwrap(), ["heartbeat"]);
        }
        late.join().unwrap();
        drop(hub);
        empties(&registry);
    });
}
