//! Publishers that want their turn at the same time, some of which go away, and a shutdown.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use shuttle::future::JoinHandle;

use super::{
    Batch, Deliver, LocalRouter, Lost, Publication, RouteError, Routed, Router, Ticket,
    ingress::{Ingress, Started},
};
use crate::{
    Event, Position, Target,
    hub::Delivered,
    models::{check, spawn, until, wait},
    sync::{
        atomic::{AtomicBool, Ordering},
        task::Runtime::{self, Driven, None as NoRuntime, Undriven},
    },
};

/// What was done, and what was asked and answered meanwhile.
#[derive(Debug, Default)]
struct Book {
    at_work: AtomicBool,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// The parts of jobs, in the order in which they were done.
    done: Vec<(u64, usize)>,
    calls: Vec<Call>,
    moment: usize,
}

#[derive(Debug)]
struct Call {
    job: u64,
    parts: usize,
    called: usize,
    /// None if whoever called went away.
    answered: Option<(usize, Answer)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    Refused,
}

impl Book {
    /// Does a job, and looks away between its parts.
    fn work(&self, job: u64, parts: usize) {
        assert!(!self.at_work.swap(true, Ordering::SeqCst), "two at once");
        for part in 0..parts {
            self.pages.lock().unwrap().done.push((job, part));
            assert!(self.at_work.load(Ordering::SeqCst));
        }
        self.at_work.store(false, Ordering::SeqCst);
    }

    /// Notes that a job is asked for; the answer is to be noted by the number that it returns.
    fn called(&self, job: u64, parts: usize) -> usize {
        let mut pages = self.pages.lock().unwrap();
        let called = pages.tick();
        pages.calls.push(Call {
            job,
            parts,
            called,
            answered: None,
        });
        pages.calls.len() - 1
    }

    fn answered<T>(&self, call: usize, answer: Result<T, RouteError>) {
        let answer = match answer {
            Ok(_) => Answer::Done,
            Err(RouteError::Closed | RouteError::Busy) => Answer::Refused,
            Err(error) => panic!("{error}"),
        };
        let mut pages = self.pages.lock().unwrap();
        let moment = pages.tick();
        pages.calls[call].answered = Some((moment, answer));
    }

    fn parts_done(&self) -> usize {
        self.pages.lock().unwrap().done.len()
    }

    /// Each job was done whole and once if its answer says so, at the most once if nobody waited
    /// for the answer, never if it was refused; one that was answered before another was asked
    /// for, before it.
    fn add_up(&self) {
        let pages = self.pages.lock().unwrap();
        let done: Vec<u64> = pages
            .done
            .chunk_by(|one, next| one.0 == next.0 && one.1 < next.1)
            .map(|parts| {
                let call = pages.calls.iter().find(|call| call.job == parts[0].0);
                assert_eq!(parts.len(), call.unwrap().parts, "{pages:?}");
                parts[0].0
            })
            .collect();
        let times = |job| done.iter().filter(|other| **other == job).count();
        let place = |job| done.iter().position(|other| *other == job);
        for call in &pages.calls {
            match call.answered.map(|(_, answer)| answer) {
                Some(Answer::Done) => assert_eq!(times(call.job), 1, "{pages:?}"),
                Some(Answer::Refused) => assert_eq!(times(call.job), 0, "{pages:?}"),
                None => assert!(times(call.job) <= 1, "{pages:?}"),
            }
            for later in &pages.calls {
                let before = call.answered.is_some_and(|(at, _)| at < later.called);
                if let (true, Some(first), Some(second)) =
                    (before, place(call.job), place(later.job))
                {
                    assert!(first < second, "{pages:?}");
                }
            }
        }
    }
}

impl Pages {
    const fn tick(&mut self) -> usize {
        self.moment += 1;
        self.moment
    }
}

/// An ingress with its book.
#[derive(Clone)]
struct Turns {
    ingress: Arc<Ingress<(u64, usize), ()>>,
    book: Arc<Book>,
    runtime: Runtime,
    places: usize,
}

impl Turns {
    fn new(runtime: Runtime) -> Self {
        Self::with_places(1, runtime)
    }

    fn with_places(places: usize, runtime: Runtime) -> Self {
        let book = Arc::<Book>::default();
        let ingress = Ingress::new(places, {
            let book = Arc::clone(&book);
            move |(job, parts)| {
                book.work(job, parts);
                Ok(())
            }
        });
        Self {
            ingress,
            book,
            runtime,
            places,
        }
    }

    /// All is done; whoever did the last gives its place back after the answer.
    fn becomes_free(&self) {
        let free = format!("Ingress {{ waiting: 0, places: {}, .. }}", self.places);
        until(|| format!("{:?}", self.ingress) == free);
    }

    /// A task that does these jobs one after the other.
    fn run(&self, jobs: &'static [u64]) -> JoinHandle<()> {
        let turns = self.clone();
        spawn(async move {
            turns.runtime.enter();
            for job in jobs {
                let call = turns.book.called(*job, 2);
                let answer = turns.ingress.run((*job, 2)).await;
                turns.book.answered(call, answer);
            }
        })
    }

    /// A task that brings both jobs in before it waits for the first.
    fn try_run(&self, jobs: [u64; 2]) -> JoinHandle<()> {
        let turns = self.clone();
        spawn(async move {
            turns.runtime.enter();
            let started = jobs.map(|job| {
                let call = turns.book.called(job, 2);
                (call, turns.ingress.try_run((job, 2)))
            });
            for (call, started) in started {
                let answer = match started {
                    Ok(Started::Done(())) => Ok(()),
                    Ok(Started::Queued(answer)) => answer.await,
                    Err(refused) => Err(refused),
                };
                turns.book.answered(call, answer);
            }
        })
    }

    /// A task that takes nothing more, after which nothing more may happen.
    fn close(&self) -> JoinHandle<usize> {
        let turns = self.clone();
        spawn(async move {
            turns.runtime.enter();
            turns.ingress.close().await;
            turns.book.parts_done()
        })
    }
}

fn join<T>(task: JoinHandle<T>) -> T {
    wait(task).expect("it wasn't aborted")
}

fn check_everywhere(model: fn(Runtime)) {
    for runtime in [Driven, Undriven, NoRuntime] {
        check(move || model(runtime));
    }
}

#[test]
fn each_job_has_its_turn() {
    check_everywhere(|runtime| {
        let turns = Turns::new(runtime);
        let tasks = [turns.run(&[1, 2]), turns.run(&[3, 4]), turns.run(&[5])];
        tasks.into_iter().for_each(join);
        assert_eq!(turns.book.parts_done(), 10);
        turns.book.add_up();
    });
}

#[test]
fn jobs_that_do_not_wait_for_a_place_are_done_or_refused() {
    check_everywhere(|runtime| {
        let turns = Turns::new(runtime);
        let tasks = [
            turns.try_run([1, 2]),
            turns.try_run([3, 4]),
            turns.run(&[5]),
        ];
        tasks.into_iter().for_each(join);
        turns.book.add_up();
    });
}

#[test]
fn whoever_goes_away_holds_up_nobody() {
    check_everywhere(|runtime| {
        let turns = Turns::new(runtime);
        let tasks = [turns.run(&[1, 2]), turns.run(&[3])];
        let gone = turns.run(&[4, 5]);
        gone.abort();
        tasks.into_iter().for_each(join);
        let _ = wait(gone);
        turns.becomes_free();
        turns.book.add_up();
    });
}

#[test]
fn whoever_goes_away_in_line_takes_nobodys_turn_along() {
    check_everywhere(|runtime| {
        let turns = Turns::with_places(4, runtime);
        let tasks = [turns.run(&[1]), turns.run(&[2]), turns.run(&[3])];
        let gone = turns.run(&[4, 5]);
        // Polled once, then dropped.
        runtime.enter();
        turns.book.called(6, 2);
        if let Ok(Started::Queued(answer)) = turns.ingress.try_run((6, 2)) {
            drop(pin!(answer).poll(&mut Context::from_waker(Waker::noop())));
        }
        gone.abort();
        tasks.into_iter().for_each(join);
        drop(wait(gone));
        join(turns.close());
        turns.book.add_up();
    });
}

#[test]
fn a_close_waits_for_what_was_taken_and_lets_nothing_in() {
    check_everywhere(|runtime| {
        let turns = Turns::new(runtime);
        let tasks = [
            turns.run(&[1, 2]),
            turns.run(&[3]),
            turns.try_run([4, 5]),
            turns.run(&[6]),
        ];
        let gone = turns.run(&[7]);
        let close = turns.close();
        gone.abort();
        let done = join(close);
        tasks.into_iter().for_each(join);
        let _ = wait(gone);
        assert_eq!(turns.book.parts_done(), done, "after the close");
        turns.book.add_up();
    });
}

#[test]
fn a_publication_that_nobody_polls_holds_up_nobody() {
    check_everywhere(|runtime| {
        let turns = Turns::new(runtime);
        let tasks = [turns.run(&[1, 2]), turns.run(&[3])];
        // Polled once, and then kept.
        runtime.enter();
        let call = turns.book.called(4, 2);
        let mut kept = Box::pin(turns.ingress.run((4, 2)));
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = kept.as_mut().poll(&mut cx) {
            turns.book.answered(call, answer);
        }
        tasks.into_iter().for_each(join);
        let done = join(turns.close());
        turns.book.add_up();
        drop(kept);
        assert_eq!(turns.book.parts_done(), done, "after the close");
        turns.becomes_free();
    });
}

/// What a router of its own delivers, by ticket.
#[derive(Debug)]
struct ToBook(Arc<Book>);

impl Deliver for ToBook {
    fn deliver(&self, routed: &[Routed]) -> Delivered {
        let first = routed[0].ticket.unwrap().number();
        let consecutive = (first..).zip(routed);
        for (number, routed) in consecutive {
            assert_eq!(routed.ticket, Some(Ticket::new(number)), "unbroken");
        }
        self.0.work(first, routed.len());
        Delivered::default()
    }

    fn lost(&self, _: Option<Position>, _: Lost) {
        panic!("nothing is lost here");
    }
}

fn batch(first: u64, len: usize) -> Batch {
    let publication = |number| {
        let event = Event::text("x").build().unwrap();
        Publication::new(Target::everybody(), event, Ticket::new(number))
    };
    (first..).take(len).map(publication).collect()
}

#[test]
fn a_router_delivers_batches_whole_and_in_the_order_of_its_answers() {
    check(|| {
        let (router, book) = (Arc::new(LocalRouter::default()), Arc::<Book>::default());
        wait(router.start(Arc::new(ToBook(Arc::clone(&book))))).unwrap();
        let publish = |batches: &'static [(u64, usize)]| {
            let (router, book) = (Arc::clone(&router), Arc::clone(&book));
            spawn(async move {
                for (first, len) in batches {
                    let call = book.called(*first, *len);
                    book.answered(call, router.publish(batch(*first, *len)).await);
                }
            })
        };
        let publisher = publish(&[(10, 2), (20, 1)]);
        let gone = publish(&[(30, 2), (40, 2)]);
        let trying = spawn({
            let (router, book) = (Arc::clone(&router), Arc::clone(&book));
            async move {
                let call = book.called(50, 3);
                match router.try_publish(batch(50, 3)) {
                    Ok(pending) => book.answered(call, pending.await),
                    Err(error) => book.answered::<()>(call, Err(error)),
                }
                // Not awaited, and on its way all the same.
                let call = book.called(60, 2);
                book.answered(call, router.try_publish(batch(60, 2)).map(drop));
            }
        });
        gone.abort();
        let shutdown = spawn({
            let (router, book) = (Arc::clone(&router), Arc::clone(&book));
            async move {
                router.shutdown().await;
                book.parts_done()
            }
        });
        join(publisher);
        join(trying);
        let _ = wait(gone);
        assert_eq!(join(shutdown), book.parts_done(), "after the shutdown");
        book.add_up();
    });
}
