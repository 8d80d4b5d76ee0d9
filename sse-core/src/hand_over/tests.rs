use super::*;
use crate::{ClientId, ConnectionId, GroupRule};

fn at(sequence: u64) -> Position {
    Position::new(1, sequence)
}

/// One that has seen what stands up to 5, which is all that was delivered.
fn behind() -> HandOver {
    let (id, client) = (
        ConnectionId::random().unwrap(),
        ClientId::new("ada").unwrap(),
    );
    let viewer = Viewer::new(id, client, Vec::new(), GroupRule::exact());
    HandOver::new(
        viewer,
        Next::Read,
        Some(at(5)),
        Some(at(5)),
        &Arc::default(),
    )
}

#[test]
fn a_page_that_was_asked_for_before_a_loss_says_nothing_of_what_came_after() {
    let mut hand_over = behind();
    let after = hand_over.ask().unwrap();
    hand_over.lose(GapCause::Backend);
    assert!(!hand_over.looked_to(after, after), "no further");
    let Next::Gap(gap) = hand_over.next() else {
        panic!("the loss is told first");
    };
    hand_over.gap_told(gap, Some(at(5)), false);
    assert_ne!(hand_over.standing(true), Standing::Done);
    let after = hand_over.ask().unwrap();
    assert!(!hand_over.looked_to(after, after));
    assert_eq!(hand_over.standing(true), Standing::Done);
}

#[test]
fn who_goes_on_without_the_history_does_not_wait_for_the_end_of_a_loss() {
    let mut hand_over = behind();
    hand_over.lose(GapCause::Backend);
    hand_over.next();
    let gap = Gap {
        cause: GapCause::Backend,
        then: Then::Head,
    };
    hand_over.gap_told(gap, Some(at(5)), false);
    assert_eq!(hand_over.standing(true), Standing::Done);
}
