//! Those who ask what became of a publication, while it is told.

use std::sync::Arc;

use shuttle::thread;

use crate::{
    Accepted,
    hub::outcome::{Answers, Delivery, OutcomeError, Outcomes},
    models::{check, wait},
};

const DELIVERY: Delivery = Delivery {
    matched: 1,
    queued: 1,
    replaced: 0,
    dropped: 0,
    closed: 0,
    passed: 0,
    skipped: 0,
};

/// Two ask while the outcome is recorded and something else happens.
fn asks(meanwhile: fn(&Outcomes), instead: OutcomeError) {
    check(move || {
        let outcomes = Arc::<Outcomes>::default();
        let ticket = outcomes.ticket();
        let askers = [(), ()].map(|()| {
            let receipt = outcomes.receipt(Accepted::default(), ticket);
            thread::spawn(move || wait(receipt.outcome()))
        });
        let recorder = thread::spawn({
            let outcomes = Arc::clone(&outcomes);
            move || outcomes.record(ticket, Ok(DELIVERY), &mut Answers::default())
        });
        meanwhile(&outcomes);
        for asker in askers {
            let told = asker.join().unwrap();
            assert!(told == Ok(DELIVERY) || told == Err(instead), "{told:?}");
        }
        recorder.join().unwrap();
        let late = outcomes.receipt(Accepted::default(), ticket);
        assert_eq!(wait(late.outcome()), Ok(DELIVERY));
    });
}

#[test]
fn an_outcome_is_told_beside_a_loss() {
    asks(Outcomes::lost, OutcomeError::Lost);
}

#[test]
fn an_outcome_is_told_beside_the_end() {
    asks(Outcomes::close, OutcomeError::Closed);
}

#[test]
fn whoever_asks_while_it_is_recorded_is_told() {
    asks(|_| {}, OutcomeError::Forgotten);
}
